import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { SessionOrder } from '../../contracts/engine.ts';
import type { Uv } from '../../clients/uv.ts';
import { bounded, makeOverlay, trust, wayOut, type Overlay } from './enclosure.ts';
import type { Egress } from './egress/egress.ts';
import { openNetworkOrder, openNetworkProblem } from './egress/open.ts';
import type { Group } from './limits/limits.ts';
import { ownFolder, RUNTIME, writeIdentity, type Place } from './place.ts';
import { INSIDE, sandboxArgv, userEnv, type Sandbox } from './sandbox.ts';
import type { ServerRuntime } from './server-runtime.ts';
import type { SessionFolder } from './session-folder.ts';

/** What Git in the session's folder leaves out of sight: the home's own files, since repository and home are one folder (binder.md §4.3). */
const EXCLUDE = [
  '/.cache/',
  '/.config/',
  '/.ipython/',
  '/.jupyter/',
  '/.local/',
  '/.npm/',
  '/.bash_history',
  '/.python_history',
  '/.wget-hsts',
  '.ipynb_checkpoints/',
  '.virtual_documents/',
];

export interface SessionParts {
  readonly place: Place;
  readonly runtime: ServerRuntime;
  readonly egress: Egress | undefined;
  readonly uid: number | undefined;
  readonly token: string;
  readonly uv: Uv;
}

/** Makes a session's folders and everything its supervisor needs to know, as plain data (runtime/supervise.py). */
export async function supervisorOrder(
  folder: SessionFolder,
  order: SessionOrder,
  parts: SessionParts,
): Promise<{ order: Record<string, unknown>; group: Group }> {
  const { place, uid } = parts;
  const { session } = place.config;
  const problem = session.network === 'open' ? await openNetworkProblem() : undefined;
  if (problem !== undefined) throw new BinderyError('sandbox_unavailable', problem, { hint: 'Or set session.network to filtered.' });
  const layers = [join(order.environment.location, 'layer'), join(order.environment.location, 'prefix')].filter((path) => existsSync(path));
  const home = await ownFolder(folder.file('home'), uid, 0o755);
  const identity = await writeIdentity(folder.path, uid);
  const overlay = place.overlay ? await makeOverlay(folder.file('overlay'), layers, place, uid) : undefined;
  const { group, ...limits } = await bounded(
    place,
    `session-${order.id}`,
    session,
    [home, ...(overlay ? [overlay.upper] : [])],
    uid !== undefined,
  );
  const box = sessionBox(order, parts, overlay, home, identity);
  const plain = {
    argv: sandboxArgv(box),
    overlay: overlay ?? null,
    seccomp: place.seccomp,
    network: box.network === 'open' ? openNetworkOrder(uid === undefined) : null,
    ownUserNamespace: uid === undefined,
    ...limits,
    leaseSeconds: session.lease,
    startSeconds: session.startTimeout,
    graceSeconds: 3,
    serve: {
      token: parts.token,
      base: `/s/${order.id}/`,
      root: INSIDE.home,
      shell: ['/bin/bash'],
      copy: order.plan.start || order.restore ? [] : contentCopies(order),
      exclude: EXCLUDE,
      forward: parts.egress
        ? ['/opt/bindery/server/bin/python', '-I', '-S', '-B', '/opt/bindery/forward.py', `${INSIDE.egress}/${parts.egress.socketName}`]
        : null,
    },
    save: { argv: saveArgv(box, home, order, parts), to: join(place.folders.saved, `${order.id}.tar.gz`), bytes: session.disk },
    remove: [home, folder.file('overlay'), folder.file('etc'), folder.file('jupyter.sock')],
  };
  return { order: plain, group };
}

/** What a session's folder holds at first, as copies from and to folders inside: the repository, or what postBuild left of it. */
export function contentCopies(order: SessionOrder): [from: string, to: string][] {
  if (!existsSync(join(order.environment.location, 'leftovers'))) return [[INSIDE.tree, INSIDE.home]];
  return [
    [`${INSIDE.tree}/.git`, `${INSIDE.home}/.git`],
    [INSIDE.leftovers, INSIDE.home],
  ];
}

function sessionBox(order: SessionOrder, parts: SessionParts, overlay: Overlay | undefined, home: string, identity: string): Sandbox {
  const { place, runtime } = parts;
  const environment = overlay ? overlay.mount : join(order.environment.location, 'prefix');
  const leftovers = join(order.environment.location, 'leftovers');
  const trusted = trust(parts.uv);
  const python = order.lock.layout === 'joint' ? INSIDE.environment : INSIDE.server;
  const serve = [`${python}/bin/python`, '-I', '-B', `${INSIDE.runtime}/serve.py`, '{order}'];
  return {
    uid: parts.uid,
    network: place.config.session.network === 'open' ? 'open' : 'none',
    identity,
    cwd: INSIDE.home,
    seccomp: true,
    links: [],
    shmBytes: place.config.session.shm,
    tmpBytes: Math.min(place.config.session.disk, place.config.session.memory),
    env: userEnv({
      ...order.plan.env,
      ...parts.egress?.environment,
      ...trusted.env,
      ...order.env,
      JUPYTER_RUNTIME_DIR: '/tmp/jupyter-runtime',
      // Where nothing can be laid over the environment, what pip installs goes to a folder of the session's own.
      ...(overlay ? {} : { PIP_TARGET: `${INSIDE.home}/.local/site`, PYTHONPATH: `${INSIDE.home}/.local/site` }),
    }),
    read: [
      ...(overlay ? [] : [[environment, INSIDE.environment] as const]),
      [runtime.prefix, INSIDE.server],
      [RUNTIME, INSIDE.runtime],
      [order.tree.folder, INSIDE.tree],
      ...unique([runtime.python.prefix, ...(order.lock.conda ? [] : [order.lock.python.prefix])]).map((path) => [path, path] as const),
      ...(existsSync(leftovers) ? [[leftovers, INSIDE.leftovers] as const] : []),
      [parts.uv.path, `${INSIDE.tools}/uv`],
      ...wayOut(parts.egress),
      ...trusted.read,
    ],
    write: [...(overlay ? [[environment, INSIDE.environment] as const] : []), [home, INSIDE.home]],
    command: order.plan.start ? startScript(order.plan.start, serve, order) : serve,
  };
}

/** The repository's `start` gets the server's command and must exec it (binder.md §4.2); its files are there before it runs. */
function startScript(path: string, serve: readonly string[], order: SessionOrder): readonly string[] {
  const copies = order.restore ? [] : contentCopies(order);
  const copy = copies.map(([from, to]) => `cp -a ${from}/. ${to}/ && `).join('');
  return ['/bin/sh', '-c', `${copy}chmod +x "./$1" && script="./$1" && shift && exec "$script" "$@"`, 'start', path, ...serve];
}

/** A sandbox that sees the home and nothing else, for saving what was changed. */
function saveArgv(box: Sandbox, home: string, order: SessionOrder, parts: SessionParts): string[] {
  return sandboxArgv({
    ...box,
    network: 'none',
    env: { PATH: '/usr/bin:/bin', HOME: '/nonexistent' },
    write: [],
    links: [],
    read: [
      [home, INSIDE.home],
      [RUNTIME, INSIDE.runtime],
      [parts.runtime.prefix, INSIDE.server],
      [parts.runtime.python.prefix, parts.runtime.python.prefix],
    ],
    command: [`${INSIDE.server}/bin/python`, '-I', '-S', '-B', `${INSIDE.runtime}/save.py`, order.source.ref],
  });
}

const unique = (paths: readonly string[]): string[] => [...new Set(paths)];
