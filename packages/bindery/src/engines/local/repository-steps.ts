import { mkdir, realpath, rm, writeFile, chmod, rename } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { BinderyError, ERRORS } from '@bindery/wire/errors.ts';
import { run, type RunResult } from '../../base/run.ts';
import type { BuildOrder, StageLog } from '../../contracts/engine.ts';
import type { Step } from '../../contracts/plan.ts';
import type { Uv } from '../../clients/uv.ts';
import { enclose, LIMIT_BROKEN, makeOverlay, stepCommand, trust, wayOut, type Overlay } from './enclosure.ts';
import { fixedFolder, removeAll } from './fixed-folder.ts';
import { ownIndex, ownVariables } from './own-user.ts';
import { freshUid, ownFolder, RUNTIME, writeIdentity, type Place } from './place.ts';
import { INSIDE, pathsFor, userEnv, type Paths, type Sandbox } from './sandbox.ts';
import { wishesOf } from './lock-wishes.ts';
import type { Egress } from './egress/egress.ts';
import type { CondaTool } from './conda.ts';
import { BECOME } from './script.ts';
import { hintOf } from './build-hint.ts';
import { runCondaSteps } from './conda-steps.ts';

/** What one command gets beside what all get. */
interface Aside {
  readonly env: Readonly<Record<string, string>>;
  readonly read: readonly string[];
}

/** Steps that run a stranger's code, in order (I7): packages built from source, packages of the repository, its own programs. */
export function strangersSteps(order: BuildOrder): Step[] {
  const conda = order.plan.steps.filter((step) => step.uses === 'conda' && step.from === 'channels');
  return [...(order.lock.conda ? conda.slice(0, 1) : []), ...sourceSteps(order)];
}

function sourceSteps(order: BuildOrder): Step[] {
  const fromSource = order.lock.packages.filter((entry) => entry.from === 'source');
  const steps = order.plan.steps.filter((step) => step.uses === 'local' || step.uses === 'run');
  if (fromSource.length === 0) return steps;
  const because = fromSource.every((entry) => entry.own)
    ? 'Installing the packages that lie in the repository'
    : 'Building packages that have no wheel';
  const { ownLinks } = wishesOf(order.plan).options;
  return [{ uses: 'locked-python', because, inputs: [], requirements: [], options: ownLinks }, ...steps];
}

/**
 * Runs the steps in a build sandbox over `<folder>/prefix`. What they leave is `<folder>/layer` (changes to the environment) and
 * `<folder>/leftovers` (the home as they left it, without .git). Nothing else is written. Where no sandbox works they run as the
 * hub's own user and change the prefix itself.
 */
export async function runRepositorySteps(
  place: Place,
  uv: Uv,
  egress: Egress | undefined,
  folder: string,
  order: BuildOrder,
  tool: CondaTool | undefined,
  log: StageLog,
  signal: AbortSignal,
): Promise<void> {
  const uid = freshUid(place);
  const scratch = join(folder, 'build');
  await mkdir(scratch, { recursive: true, mode: 0o755 });
  const layout = await layOut(place, folder, scratch, uid);
  const { home, environment, overlay, work } = layout;
  const cache = await ownFolder(join(scratch, 'cache'), uid);
  const identity = await writeIdentity(scratch, uid);
  const at = pathsFor(place.isolated, {
    environment,
    home,
    work,
    cache,
    uv: uv.path,
    runtime: RUNTIME,
    tree: order.tree.folder,
    tools: dirname(uv.path),
  });
  const bytecode = join(work, 'bytecode.json');
  await writeFile(bytecode, '{}', { mode: 0o644 });
  await writeFile(
    join(work, 'source.txt'),
    order.lock.packages
      .filter((entry) => entry.from === 'source')
      .map((entry) => [entry.requirement, ...entry.hashes.map((hash) => `    --hash=${hash}`)].join(' \\\n'))
      .join('\n'),
    { mode: 0o644 },
  );
  // a conda environment has its own Python, which is not there at first and a stranger's afterwards
  const python = order.lock.conda ? place.python : order.lock.python;
  const trusted = trust(uv);
  const box = (command: readonly string[], more: Aside): Sandbox => ({
    uid,
    network: 'none',
    identity,
    cwd: at.home,
    seccomp: true,
    shmBytes: 256 << 20,
    tmpBytes: 2 * 2 ** 30,
    links: [],
    env: userEnv(at, {
      ...order.plan.env,
      ...publicIndex(uv),
      ...(place.isolated ? egress?.environment : { ...ownVariables(place, uv, [environment, `${home}/.local`]), ...ownIndex(uv) }),
      ...trusted.env,
      ...more.env,
      UV_CACHE_DIR: `${at.cache}/uv`,
      UV_CREDENTIALS_DIR: `${at.cache}/credentials`, // or uv makes a folder in the home, which goes into sessions
      PIP_CACHE_DIR: `${at.cache}/pip`,
    }),
    read: [
      [python.prefix, python.prefix],
      ...more.read.filter((path) => path !== python.prefix).map((path) => [path, path] as const),
      [uv.path, INSIDE.uv],
      [RUNTIME, INSIDE.runtime],
      [order.tree.folder, INSIDE.tree],
      [work, INSIDE.work],
      ...wayOut(egress),
      ...trusted.read,
    ],
    write: [
      [environment, INSIDE.environment],
      [home, INSIDE.home],
      [cache, INSIDE.cache],
    ],
    command: stepCommand(place, python.path, egress, command),
  });
  const { memory, processes, disk } = place.config.build;
  const allowed = { memory, processes, disk, cpus: availableParallelism() };
  const inside = (name: string, command: readonly string[], onLine: (line: string) => void, more: Aside): Promise<RunResult> =>
    enclose(place, {
      name: `${order.id.slice(0, 12)}-${name}`,
      box: box(command, more),
      overlay,
      allowed,
      folders: [home, cache, overlay?.upper ?? environment],
      scratch,
      timeoutMs: place.config.build.timeout * 1000,
      signal,
      onLine,
    });
  const step = async (name: string, what: string, command: readonly string[], wayRound = ''): Promise<void> => {
    log.info(what);
    const tail: string[] = [];
    const onLine = (line: string): void => {
      tail.push(line);
      if (tail.length > 60) tail.shift();
      log.line(line);
    };
    const result = await inside(name, command, onLine, { env: {}, read: [] });
    if (result.timedOut)
      throw new BinderyError('build_timeout', `${what} took longer than ${place.config.build.timeout} seconds.`, {
        logTail: tail.join('\n'),
      });
    if (result.code === LIMIT_BROKEN)
      throw new BinderyError('build_failed', `${what} was ended: ${tail.at(-1) ?? 'a limit was broken'}`, { logTail: tail.join('\n') });
    if (result.code !== 0)
      throw new BinderyError('build_failed', `${what} failed (${result.code === null ? result.signal : `exit code ${result.code}`}).`, {
        logTail: tail.join('\n'),
        hint: `${hintOf(tail.join('\n')) ?? ERRORS.build_failed.hint}${wayRound}`,
      });
  };
  await step('content', "Laying out the repository's files", ['cp', '-a', '--', `${at.tree}/.`, at.home]);
  if (tool) {
    await runCondaSteps({
      tool,
      lock: order.lock,
      uv,
      config: place.config,
      at,
      work: [cache, at.cache],
      log,
      step,
      inside: (name, command, more) => inside(name, command, () => {}, more),
    });
  }
  for (const [index, one] of sourceSteps(order).entries())
    await step(String(index), sentence(one), command(one, at), one.uses === 'run' ? WITHOUT : '');
  await writeFile(
    bytecode,
    JSON.stringify({
      site: `${at.environment}/lib/python${order.lock.python.version.split('.').slice(0, 2).join('.')}/site-packages`,
      store: null,
      keys: {},
    }),
    { mode: 0o644 },
  );
  await step('bytecode', 'Compiling what was built', [
    `${at.environment}/bin/python`,
    '-I',
    '-S',
    '-B',
    `${at.runtime}/bytecode.py`,
    `${at.work}/bytecode.json`,
  ]);
  await keep(place, folder, layout, uid);
}

/** Where the steps work. */
interface Layout {
  readonly scratch: string;
  readonly home: string;
  readonly environment: string;
  readonly overlay: Overlay | undefined;
  /** What they are told by files. */
  readonly work: string;
}

async function layOut(place: Place, folder: string, scratch: string, uid: number | undefined): Promise<Layout> {
  const work = join(scratch, 'work');
  await mkdir(work, { mode: 0o755 });
  const prefix = join(folder, 'prefix');
  if (!place.isolated) {
    const home = await fixedFolder(place, join(folder, 'leftovers'));
    return { scratch, home, environment: await realpath(prefix), overlay: undefined, work };
  }
  const home = await ownFolder(join(scratch, 'home'), uid, 0o755);
  const overlay = place.overlay ? await makeOverlay(scratch, [prefix], place, uid) : undefined;
  const environment = overlay?.mount ?? (await ownCopy(prefix, join(scratch, 'prefix'), uid));
  return { scratch, home, environment, overlay, work };
}

/** The index as sandboxes may know it: where it has credentials they get none of it. */
function publicIndex(uv: Uv): Record<string, string> {
  return {
    UV_NO_CONFIG: '1',
    UV_NO_PROGRESS: '1',
    UV_PYTHON_DOWNLOADS: 'never',
    ...(uv.index.secret ? {} : { UV_DEFAULT_INDEX: uv.index.url, PIP_INDEX_URL: uv.index.url }),
  };
}

const WITHOUT = ' Or launch with --skip-post-build, without what it would make.';

function sentence(step: Step): string {
  if (step.uses === 'local') return `Installing the package in ${step.path === '.' ? 'the repository' : step.path}`;
  if (step.uses === 'run') return `Running ${step.path}`;
  return step.because;
}

function command(step: Step, at: Paths): readonly string[] {
  const install = [at.uv, 'pip', 'install', '--python', `${at.environment}/bin/python`, '--link-mode', 'copy', '--no-deps'];
  if (step.uses === 'local') {
    const target = `${step.path === '.' ? at.home : `${at.home}/${step.path}`}${step.extras.length > 0 ? `[${step.extras.join(',')}]` : ''}`;
    return [...install, ...(step.editable ? ['-e'] : []), target];
  }
  if (step.uses === 'run') return ['/bin/sh', '-c', `script="./$1"; shift; ${BECOME}`, 'run', step.path];
  const links = step.uses === 'locked-python' ? (step.options ?? []) : [];
  return [...install, ...links.flatMap((path) => ['--find-links', `${at.home}/${path}`]), '-r', `${at.work}/source.txt`];
}

/** The prefix again, with no file shared with the store, for a build where nothing can be laid over it. */
async function ownCopy(from: string, to: string, uid: number | undefined): Promise<string> {
  await must(['cp', '-a', '--reflink=auto', '--', from, to]);
  await giveAll(to, uid);
  return to;
}

/** Takes over what the steps left, as the worker's: nothing runs any more that could change it. */
async function keep(place: Place, folder: string, { scratch, home, environment, overlay }: Layout, uid: number | undefined): Promise<void> {
  await rm(join(home, '.git'), { recursive: true, force: true });
  await rm(join(home, '.cache'), { recursive: true, force: true });
  if (!place.isolated) return removeAll(scratch); // everything lies where it is to stay
  const changed = overlay ? join(folder, 'layer') : join(folder, 'prefix');
  if (!overlay) await removeAll(changed);
  await rename(overlay?.upper ?? environment, changed);
  await rename(home, join(folder, 'leftovers'));
  for (const path of [changed, join(folder, 'leftovers')]) {
    await chmod(path, 0o755);
    if (uid !== undefined) await giveAll(path, place.worker.uid);
  }
  // sessions copy it as users of their own: what its maker closed to others (~/.ssh, ~/.jupyter) must be open to them
  if (uid !== undefined) await must(['chmod', '-R', 'go+rX', '--', join(folder, 'leftovers')]);
  await removeAll(scratch);
}

/** Makes a folder and all in it a uid's, links themselves and not what they lead to. */
async function giveAll(path: string, uid: number | undefined): Promise<void> {
  if (uid !== undefined) await must(['chown', '-hR', `${uid}:${uid}`, '--', path]);
}

async function must(argv: readonly [string, ...string[]]): Promise<void> {
  const result = await run(argv, { env: { PATH: '/usr/bin:/bin' }, timeoutMs: 600_000 });
  if (result.code !== 0)
    throw new BinderyError(
      /No space left/.test(result.stderr) ? 'disk_full' : 'build_failed',
      `${argv[0]} failed while files of the build were laid out.`,
      { logTail: result.stderr.slice(-2000) },
    );
}
