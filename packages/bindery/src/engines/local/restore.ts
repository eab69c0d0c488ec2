import { z } from 'zod';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { SavedWork, SessionOrder, StageLog } from '../../contracts/engine.ts';
import type { Uv } from '../../clients/uv.ts';
import { enclose } from './enclosure.ts';
import { ownFolder, RUNTIME, writeIdentity, type Place } from './place.ts';
import { INSIDE, type Paths, type Sandbox } from './sandbox.ts';
import type { ServerRuntime } from './server-runtime.ts';
import type { SessionFolder } from './session-folder.ts';
import { contentCopies, leftoversOf, sessionPaths } from './session-paths.ts';

export interface RestoreCall {
  readonly place: Place;
  readonly runtime: ServerRuntime;
  readonly uv: Uv;
  readonly uid: number | undefined;
  readonly log: StageLog;
  readonly signal: AbortSignal;
}

const Restored = z.object({ files: z.number().int(), removed: z.number().int() });
/** As saving them: two minutes are much for what a session may write. */
const TIMEOUT_MS = 120_000;
/** Bytes of /tmp and /dev/shm, which nothing needs. */
const SMALL = 1 << 20;

/**
 * Fills a new session's folder with the repository's files and the saved work over them (runtime/restore.py), in a sandbox that can write
 * nothing else: what the archive holds is a stranger's. @throws BinderyError restore_failed
 */
export async function restoreWork(folder: SessionFolder, order: SessionOrder, saved: SavedWork, call: RestoreCall): Promise<void> {
  const { place, uid, log, signal } = call;
  const { session } = place.config;
  const home = await ownFolder(folder.file('home'), uid, 0o755);
  const identity = await writeIdentity(folder.path, uid);
  const result = await enclose(place, {
    name: `restore-${order.id}`,
    box: restoreBox(order, call, { at: await sessionPaths(order, home, call), home, identity }),
    overlay: undefined,
    allowed: session,
    folders: [home],
    scratch: folder.path,
    input: saved.path,
    timeoutMs: TIMEOUT_MS,
    signal,
    onLine: () => {},
  });
  if (result.code !== 0) throw failure(result.timedOut ? 'it took too long' : result.stderr);
  const { files, removed } = Restored.parse(JSON.parse(result.stdout));
  const gone = removed === 0 ? '' : `, ${counted(removed)} removed again`;
  log.info(`${counted(files)} restored from an earlier session${gone}`);
}

interface Folders {
  readonly at: Paths;
  readonly home: string;
  readonly identity: string;
}

function restoreBox(order: SessionOrder, { place, runtime, uid }: RestoreCall, { at, home, identity }: Folders): Sandbox {
  const leftovers = leftoversOf(order);
  return {
    uid,
    network: 'none',
    identity,
    cwd: at.home,
    seccomp: true,
    links: [],
    shmBytes: SMALL,
    tmpBytes: SMALL,
    env: { PATH: '/usr/bin:/bin', HOME: '/nonexistent', LC_ALL: 'C.UTF-8' },
    read: [
      [RUNTIME, INSIDE.runtime],
      [runtime.prefix, INSIDE.server],
      [runtime.python.prefix, runtime.python.prefix],
      [order.tree.folder, INSIDE.tree],
      ...(leftovers === undefined ? [] : [[leftovers, INSIDE.leftovers] as const]),
    ],
    write: [[home, INSIDE.home]],
    command: [
      `${at.server}/bin/python`,
      '-I',
      '-S',
      '-B',
      `${at.runtime}/restore.py`,
      at.home,
      String(place.config.session.disk),
      ...contentCopies(order, at).flat(),
    ],
  };
}

/** The last line that it wrote says why. */
function failure(stderr: string): BinderyError {
  const said = stderr
    .trim()
    .split('\n')
    .at(-1)
    ?.replace(/^bindery: /, '')
    .slice(0, 300);
  return new BinderyError('restore_failed', `The saved work could not be put back: ${said || 'no reason was given'}.`);
}

const counted = (count: number): string => (count === 1 ? '1 file' : `${count} files`);
