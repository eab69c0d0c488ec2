import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { BinderyError } from '@bindery/wire/errors.ts';
import { isLoopback } from '../base/doors.ts';
import { JupyterServer, type JupyterAddress } from './jupyter-server.ts';
import { tryJson } from '../base/try-json.ts';

/** A Jupyter server as its user names it; `token` where the address has one. */
export interface NamedServer {
  readonly url: string;
  readonly socketPath?: string;
  readonly token?: string;
}

/** Pages that people copy out of their browser. */
const PAGES = /\/(?:lab|tree|notebooks|login)(?:\/.*)?$/;

/** Reads `http://localhost:8888/lab?token=…`, `localhost:8888`, `http+unix://%2Frun%2Fnb.sock/`. @throws BinderyError request_invalid */
export function namedServer(text: string): NamedServer {
  const unix = /^(?:http\+)?unix:\/\/([^/]+)(\/.*)?$/.exec(text);
  const url = URL.parse(unix ? `http://localhost${unix[2] ?? '/'}` : /^[\w.-]+(?::\d+)?(?:\/|$)/.test(text) ? `http://${text}` : text);
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '')
    throw new BinderyError('request_invalid', `${JSON.stringify(text)} is no address of a Jupyter server.`, {
      hint: 'Write it as Jupyter prints it: http://localhost:8888/',
    });
  const token = url.searchParams.get('token');
  const base = `${url.origin}${url.pathname.replace(PAGES, '').replace(/\/*$/, '/')}`;
  return { url: base, ...(unix ? { socketPath: decodeURIComponent(unix[1] ?? '') } : {}), ...(token ? { token } : {}) };
}

/** The folder in which the documents of a server are kept: `localhost-8888-1a2b3c4d`. */
export function folderName({ url, socketPath }: NamedServer): string {
  const { hostname, port, pathname, protocol } = new URL(url);
  const host = isLoopback(hostname.replaceAll(/[[\]]/g, '')) ? 'localhost' : hostname;
  const place = socketPath ?? `${host}:${port || (protocol === 'https:' ? '443' : '80')}`;
  const readable = place
    .replaceAll(/[^\w.]+/g, '-')
    .slice(-24)
    .replace(/^[-.]+/, '');
  return `${readable}-${createHash('sha256').update(`${place}${pathname}`).digest('hex').slice(0, 8)}`;
}

const Running = z.object({
  port: z.number().optional(),
  sock: z.string().optional(),
  base_url: z.string(),
  hostname: z.string(),
  token: z.string(),
});

/** The token of a server that the same user has started on this machine, which Jupyter notes in a file for its owner; undefined where there is none. */
export async function notedToken(server: NamedServer, env: Readonly<Record<string, string | undefined>>): Promise<string | undefined> {
  const { hostname, port, pathname } = new URL(server.url);
  if (!isLoopback(hostname.replaceAll(/[[\]]/g, ''))) return undefined;
  const folder = runtimeFolder(env);
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter((each) => /^(?:jpserver|nbserver)-\d+\.json$/.test(each))) {
    const noted = Running.safeParse(await readJson(join(folder, name))).data;
    const isIt = server.socketPath === undefined ? noted?.port === Number(port || 80) && !noted.sock : noted?.sock === server.socketPath;
    if (noted && isIt && noted.base_url.replace(/\/*$/, '/') === pathname) return noted.token;
  }
  return undefined;
}

/** As jupyter_core's `jupyter_runtime_dir` has it. */
function runtimeFolder(env: Readonly<Record<string, string | undefined>>): string {
  const home = env['HOME'] ?? homedir();
  const own =
    process.platform === 'darwin'
      ? join(home, 'Library', 'Jupyter')
      : join(env['XDG_DATA_HOME'] ?? join(home, '.local', 'share'), 'jupyter');
  return env['JUPYTER_RUNTIME_DIR'] ?? join(env['JUPYTER_DATA_DIR'] ?? own, 'runtime');
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    return undefined;
  }
}

const Version = z.object({ version: z.string() });

/**
 * Finds out whether a server is one that documents can be kept for, and which version.
 * @throws BinderyError jupyter_unreachable, jupyter_refused, jupyter_too_old
 */
export async function checkServer(address: JupyterAddress): Promise<string> {
  const server = new JupyterServer(address);
  const where = address.socketPath ?? address.url;
  try {
    const known = await server.ask('GET', 'api');
    const version = Version.safeParse(tryJson(known.text)).data?.version;
    if (known.status === 401 || known.status === 403) throw refused(where, address);
    if (version === undefined)
      throw new BinderyError('jupyter_unreachable', `What answers at ${where} (${known.status}) is no Jupyter server.`);
    // There since jupyter_server 2, and asked for by who has entered only.
    const { status } = await server.ask('GET', 'api/me');
    if (status === 404) throw new BinderyError('jupyter_too_old', `The Jupyter server at ${where} has version ${version}.`);
    if (status !== 200) throw refused(where, address);
    return version;
  } catch (error) {
    if (error instanceof BinderyError) throw error;
    const why = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new BinderyError('jupyter_unreachable', `No Jupyter server answers at ${where}: ${why}`, { cause: error });
  } finally {
    await server.close();
  }
}

function refused(where: string, { token }: JupyterAddress): BinderyError {
  const why = token === '' ? 'wants a token, and none was given' : 'does not accept the token';
  return new BinderyError('jupyter_refused', `The Jupyter server at ${where} ${why}.`);
}
