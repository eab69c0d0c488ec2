import { existsSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { SessionOrder } from '../../contracts/engine.ts';
import type { Config } from '../../base/config.ts';
import type { Uv } from '../../clients/uv.ts';
import { bounded, makeOverlay, trust, wayOut, type Overlay } from './enclosure.ts';
import type { Egress } from './egress/egress.ts';
import { openNetworkOrder, openNetworkProblem } from './egress/open.ts';
import type { Group } from './limits/limits.ts';
import { ownIndex, ownVariables, started } from './own-user.ts';
import { ownFolder, RUNTIME, writeIdentity, type Place } from './place.ts';
import { BECOME } from './script.ts';
import { INSIDE, userEnv, type Paths, type Sandbox } from './sandbox.ts';
import { SHARED_EXTENSIONS, type ServerRuntime } from './server-runtime.ts';
import type { SessionFolder } from './session-folder.ts';
import { contentCopies, leftoversOf, sessionPaths } from './session-paths.ts';
import { makeVenv } from './session-venv.ts';

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
  '/Library/', // of macOS
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
  readonly signal: AbortSignal;
}

/** What of a session is made before its sandbox is described. */
interface Made {
  readonly at: Paths;
  readonly home: string;
  readonly identity: string;
  /** Where the sockets of its kernels lie, for who stands outside. */
  readonly kernels: string;
  /** Folder of the environment as the sandbox sees it. */
  readonly environment: string;
  readonly overlay: Overlay | undefined;
  /** Where no sandbox works: the session's own environment, and its folder for what does not last. */
  readonly loose: { readonly venv: string; readonly tmp: string } | undefined;
}

/** Makes a session's folders and everything its supervisor needs to know, as plain data (runtime/supervise.py). */
export async function supervisorOrder(
  folder: SessionFolder,
  order: SessionOrder,
  parts: SessionParts,
): Promise<{ order: Record<string, unknown>; group: Group; kernels: string }> {
  const { place, uid } = parts;
  const { session } = place.config;
  await checkNetwork(place);
  const made = await makeFolders(folder, order, parts);
  const { at, home, kernels, overlay, loose } = made;
  const writes = loose ? [loose.venv, loose.tmp] : [kernels];
  const grows = [home, ...(overlay ? [overlay.upper] : []), ...writes];
  const { group, ...limits } = await bounded(place, `session-${order.id}`, session, grows, uid !== undefined);
  const box = sessionBox(order, parts, made);
  const plain = {
    ...started(place, { ...box, command: [] }),
    command: box.command,
    join: joins(order, parts, made) ? { uid: uid ?? null, env: { ...box.env, PWD: box.cwd }, cwd: box.cwd, seccomp: place.seccomp } : null,
    overlay: overlay ?? null,
    network: box.network === 'open' ? openNetworkOrder(uid === undefined) : null,
    ownUserNamespace: uid === undefined,
    ...limits,
    leaseSeconds: session.lease,
    startSeconds: session.startTimeout,
    graceSeconds: 3,
    serve: {
      token: parts.token,
      base: `/s/${order.id}/`,
      root: at.home,
      shell: ['/bin/bash'],
      copy: order.plan.start || order.restore ? [] : contentCopies(order, at),
      exclude: EXCLUDE,
      shared: shares(order, place.config) ? `${at.server}/${SHARED_EXTENSIONS}` : null,
      forward: parts.egress
        ? ['/opt/bindery/server/bin/python', '-I', '-S', '-B', '/opt/bindery/forward.py', `${INSIDE.egress}/${parts.egress.socketName}`]
        : null,
    },
    save: { ...started(place, saveBox(box, made, order, parts)), to: join(place.folders.saved, `${order.id}.tar.gz`), bytes: session.disk },
    remove: [home, folder.file('overlay'), folder.file('etc'), folder.file('jupyter.sock'), ...writes],
  };
  return { order: plain, group, kernels };
}

/** True where the session's server is ours, so that its JupyterLab is known to understand the hub about shared documents. */
export function shares({ lock, plan }: SessionOrder, { session }: Config): boolean {
  return session.share && lock.layout === 'split' && !plan.start;
}

/** The network that the operator wants is promised, or nothing starts. */
async function checkNetwork({ isolated, config: { session } }: Place): Promise<void> {
  if (!isolated && session.network === 'none')
    throw new BinderyError('sandbox_unavailable', 'Without a sandbox the network cannot be closed (session.network is none).', {
      hint: 'Set session.network to filtered, which closes nothing where no sandbox works. Or see bindery doctor.',
    });
  const problem = isolated && session.network === 'open' ? await openNetworkProblem() : undefined;
  if (problem !== undefined) throw new BinderyError('sandbox_unavailable', problem, { hint: 'Or set session.network to filtered.' });
}

async function makeFolders(folder: SessionFolder, order: SessionOrder, { place, uid, uv, runtime, signal }: SessionParts): Promise<Made> {
  const { location } = order.environment;
  const home = await ownFolder(folder.file('home'), uid, 0o755);
  const identity = await writeIdentity(folder.path, uid);
  const at = await sessionPaths(order, home, { place, runtime, uv });
  if (place.isolated) {
    const layers = [join(location, 'layer'), join(location, 'prefix')].filter((path) => existsSync(path));
    const overlay = place.overlay ? await makeOverlay(folder.file('overlay'), layers, place, uid) : undefined;
    const kernels = await ownFolder(folder.file('kernels'), uid);
    return { at, home, identity, kernels, environment: overlay?.mount ?? join(location, 'prefix'), overlay, loose: undefined };
  }
  const venv = folder.file('venv');
  const leftovers = leftoversOf(order) && at.leftovers;
  await makeVenv(uv, { folder: venv, environment: at.environment, leftovers, home, signal });
  // the paths of kernels' sockets have a hundred characters at most
  const tmp = await mkdtemp('/tmp/bindery-');
  const kernels = join(tmp, 'jupyter-runtime');
  return { at, home, identity, kernels, environment: at.environment, overlay: undefined, loose: { venv, tmp } };
}

interface SessionBox extends Sandbox {
  readonly env: Readonly<Record<string, string>>;
}

function sessionBox(order: SessionOrder, parts: SessionParts, made: Made): SessionBox {
  const { place, runtime } = parts;
  const { at, environment, overlay } = made;
  const leftovers = leftoversOf(order);
  const trusted = trust(parts.uv);
  const python = order.lock.layout === 'joint' ? at.environment : at.server;
  const serve = [`${python}/bin/python`, '-I', '-B', `${at.runtime}/serve.py`, '{order}'];
  return {
    uid: parts.uid,
    network: place.config.session.network === 'open' ? 'open' : 'none',
    identity: made.identity,
    cwd: at.home,
    seccomp: true,
    info: true,
    links: [],
    shmBytes: place.config.session.shm,
    tmpBytes: Math.min(place.config.session.disk, place.config.session.memory),
    env: userEnv(at, {
      ...order.plan.env,
      ...parts.egress?.environment,
      ...trusted.env,
      ...order.env,
      JUPYTER_RUNTIME_DIR: INSIDE.kernels,
      ...installed(parts, made),
    }),
    read: [
      ...(overlay ? [] : [[environment, INSIDE.environment] as const]),
      [runtime.prefix, INSIDE.server],
      [runtime.prefix, runtime.prefix], // where a server that was loaded outside finds what it loads later
      [RUNTIME, INSIDE.runtime],
      [order.tree.folder, INSIDE.tree],
      ...unique([runtime.python.prefix, ...(order.lock.conda ? [] : [order.lock.python.prefix])]).map((path) => [path, path] as const),
      ...(leftovers === undefined ? [] : [[leftovers, INSIDE.leftovers] as const]),
      [parts.uv.path, `${INSIDE.tools}/uv`],
      ...wayOut(parts.egress),
      ...trusted.read,
    ],
    write: [...(overlay ? [[environment, INSIDE.environment] as const] : []), [made.home, INSIDE.home], [made.kernels, INSIDE.kernels]],
    command: order.plan.start ? startScript(order.plan.start, serve, order, at) : serve,
  };
}

/** Where what a session installs goes, if nothing can be laid over the environment: to a folder of the session's own. */
function installed({ place, uv }: SessionParts, { at, kernels, overlay, loose }: Made): Record<string, string> {
  if (overlay) return {};
  if (!loose) return { PIP_TARGET: `${at.home}/.local/site`, PYTHONPATH: `${at.home}/.local/site` };
  const { venv, tmp } = loose;
  return {
    ...ownVariables(place, uv, [venv, at.environment, `${at.home}/.local`]),
    ...(uv.index.secret ? {} : ownIndex(uv)),
    VIRTUAL_ENV: venv,
    NB_PYTHON_PREFIX: venv,
    KERNEL_PYTHON_PREFIX: venv,
    JUPYTER_PATH: `${venv}/share/jupyter:${at.environment}/share/jupyter`,
    JUPYTER_RUNTIME_DIR: kernels,
    TMPDIR: tmp,
  };
}

/**
 * True when the server may be forked from one that is loaded (runtime/join.py): it is the server runtime's, which the same lock pins for every
 * session, and the sandbox's namespaces are ours to join.
 */
function joins(order: SessionOrder, { place, runtime, uid }: SessionParts, { overlay }: Made): boolean {
  const hidden = [INSIDE.home, INSIDE.environment].some((path) => runtime.prefix.startsWith(`${path}/`));
  return place.isolated && order.lock.layout === 'split' && !order.plan.start && !hidden && (uid !== undefined || overlay !== undefined);
}

/** The repository's `start` gets the server's command and must exec it (binder.md §4.2); its files are there before it runs. */
function startScript(path: string, serve: readonly string[], order: SessionOrder, at: Paths): readonly string[] {
  const copies = order.restore ? [] : contentCopies(order, at);
  const script = 'n=$1; shift; while [ "$n" -gt 0 ]; do cp -a "$1/." "$2/" || exit 1; shift 2; n=$((n - 1)); done; script="./$1"; shift';
  const words = [String(copies.length), ...copies.flat(), path, ...serve];
  return ['/bin/sh', '-c', `${script}; ${BECOME}`, 'start', ...words];
}

/** A sandbox that sees the home and nothing else, for saving what was changed. */
function saveBox(box: SessionBox, { at, home, loose }: Made, order: SessionOrder, { place, runtime }: SessionParts): Sandbox {
  const path = loose ? (box.env['PATH'] ?? '') : '/usr/bin:/bin';
  return {
    ...box,
    network: 'none',
    info: false,
    env: { PATH: path, HOME: '/nonexistent' },
    write: [],
    links: [],
    read: [
      [home, INSIDE.home],
      [RUNTIME, INSIDE.runtime],
      [runtime.prefix, INSIDE.server],
      [runtime.python.prefix, runtime.python.prefix],
    ],
    command: [`${at.server}/bin/python`, '-I', '-S', '-B', `${at.runtime}/save.py`, order.source.ref, String(place.config.session.disk)],
  };
}

const unique = (paths: readonly string[]): string[] => [...new Set(paths)];
