// A hub at the network's edge for the web page's tests: the real pages and the API of wire/api.ts, with launches that follow a script.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { ShareSession, CreateLaunch } from '@bindery/wire/api.ts';
import type { Example, Info, LaunchOptions, PageConfig, SessionView } from '@bindery/wire/api.ts';
import type { LaunchEvent } from '@bindery/wire/events.ts';
import { ERRORS } from '@bindery/wire/errors.ts';
import type { ErrorCode } from '@bindery/wire/errors.ts';
import { randomId } from '@bindery/wire/ids.ts';
import { parseLink } from '@bindery/wire/link.ts';
import type { Link } from '@bindery/wire/link.ts';

/** An entry of a launch's log before it gets its number and time. */
export type ScriptedEvent = LaunchEvent extends infer E ? (E extends LaunchEvent ? Omit<E, 'seq' | 'at'> : never) : never;

export interface FakeLaunch {
  readonly id: string;
  readonly key: string;
  readonly link: string;
  readonly options: LaunchOptions;
  readonly events: LaunchEvent[];
  readonly watchers: Set<ServerResponse>;
  /** `Last-Event-ID` of each request for the stream. */
  readonly resumes: (string | undefined)[];
}

const TYPES: Record<string, string> = { js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml', html: 'text/html; charset=utf-8' };
const DIST = join(import.meta.dirname, '../../packages/web/dist');
/** The place in the built page where a hub writes. */
const CONFIG = '<script type="application/json" id="page-config">{}</script>';
/** What the page is held to: nothing inline, nothing foreign but session origins on this machine. */
export const POLICY =
  "default-src 'self'; connect-src 'self' http://*.localhost:*; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

export class FakeHub {
  readonly launches: FakeLaunch[] = [];
  sessions: SessionView[] = [];
  examples: Example[] = [];
  config: Partial<PageConfig> = {};
  /** Requests that change something, as `METHOD path`. */
  readonly changes: string[] = [];
  authorized = true;
  /** Answers nothing while true: connections are cut. */
  down = false;
  /** Does what it is asked for, but the answer never arrives. */
  losesAnswers = false;
  /** Whether session host names answer the page's probe. */
  answersProbe = true;
  sessionLog = '[I 12:00:00 ServerApp] Jupyter Server is running\n';
  /** Called for each new launch: writes its script with `emit`. */
  onLaunch: (launch: FakeLaunch) => void = () => undefined;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this.origin;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  emit(launch: FakeLaunch, ...events: ScriptedEvent[]): void {
    for (const event of events) {
      launch.events.push({ ...event, seq: launch.events.length, at: new Date().toISOString() });
      for (const watcher of launch.watchers) send(watcher, launch.events.at(-1));
    }
  }

  /** Cuts every stream in the middle, as a proxy or a sleeping laptop does. */
  cut(): void {
    for (const launch of this.launches) for (const watcher of launch.watchers) watcher.destroy();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.down) return void request.socket.destroy();
    const { pathname } = new URL(request.url ?? '/', this.origin);
    const host = request.headers.host ?? '';
    if (host.includes('.localhost')) return this.#sessionOrigin(request, response);
    if (request.method !== 'GET') this.changes.push(`${request.method} ${pathname}`);
    if (pathname.startsWith('/api/v1/')) return this.#api(request, response, pathname.slice('/api/v1/'.length));
    if (pathname.startsWith('/assets/')) return file(response, pathname);
    await this.#page(response);
  }

  #sessionOrigin(request: IncomingMessage, response: ServerResponse): void {
    if (request.url?.endsWith('/-/probe')) {
      if (!this.answersProbe) return void request.socket.destroy();
      return void response.writeHead(204, { 'access-control-allow-origin': '*' }).end();
    }
    response.writeHead(200, { 'content-type': 'text/html' }).end('<title>JupyterLab</title><h1>A notebook</h1>');
  }

  async #page(response: ServerResponse): Promise<void> {
    const config = { version: '0.1.0', baseUrl: '/', publicUrl: this.origin, isolated: true, ask: false, ...this.config };
    const html = await readFile(join(DIST, 'index.html'), 'utf8');
    const headers = { 'content-type': TYPES['html'], 'content-security-policy': POLICY };
    response
      .writeHead(200, headers)
      .end(html.replace(CONFIG, () => CONFIG.replace('{}', () => JSON.stringify(config).replaceAll('<', '\\u003c'))));
  }

  async #api(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const [kind, id = '', verb = ''] = path.split('/');
    const method = request.method ?? 'GET';
    const launch = this.launches.find((one) => one.id === id);
    const mayDoLaunch = launch !== undefined && request.headers['x-launch-key'] === launch.key;
    if (kind === 'info') return json(response, 200, this.#info());
    if (kind === 'examples') return json(response, 200, { examples: this.examples });
    if (!this.authorized && !mayDoLaunch) return fail(response, 'unauthorized');
    if (kind === 'launches' && method === 'POST') return this.#create(request, response);
    if (kind === 'launches' && !launch) return fail(response, 'launch_not_found');
    if (kind === 'launches' && launch && verb === 'events') return this.#stream(request, response, launch);
    if (kind === 'launches' && launch && method === 'DELETE') return this.#cancel(response, launch);
    if (kind === 'sessions' && id === '') return json(response, 200, { sessions: this.sessions });
    if (kind === 'sessions' && verb === 'open') return this.#open(request, response, id);
    if (kind === 'sessions' && verb === 'share') return this.#share(request, response, id);
    const session = this.sessions.find((one) => one.id === id);
    if (!session) return fail(response, kind === 'sessions' ? 'session_not_found' : 'not_found');
    if (verb === 'log') return void response.writeHead(200, { 'content-type': 'text/plain' }).end(this.sessionLog);
    if (method === 'GET') return json(response, 200, session);
    const endedAt = new Date().toISOString();
    if (method === 'DELETE') Object.assign(session, { state: 'ended', endReason: 'stopped', endedAt, savedBytes: 52_000 });
    if (verb === 'keep-alive') delete session.endsAt;
    response.writeHead(204).end();
  }

  #info(): Info {
    const sessions = { running: this.sessions.length, maximum: 8 };
    const launches = { running: 0, waiting: 0 };
    const startedAt = new Date().toISOString();
    return { version: '0.1.0', startedAt, engine: 'local', isolated: true, authorized: this.authorized, open: false, sessions, launches };
  }

  async #create(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { link, options = {} } = CreateLaunch.parse(JSON.parse(await body(request)));
    const once = String(request.headers['idempotency-key']);
    const parsed = parsedLink(link);
    if (!parsed) return fail(response, 'link_invalid');
    let launch = this.launches.find((one) => one.key === once);
    if (!launch) {
      launch = { id: randomId(), key: once, link, options, events: [], watchers: new Set(), resumes: [] };
      this.launches.push(launch);
      this.onLaunch(launch);
    }
    if (this.losesAnswers) return void response.destroy();
    const createdAt = new Date().toISOString();
    json(response, 201, { id: launch.id, key: launch.key, link: parsed, createdAt, state: 'running' });
  }

  #stream(request: IncomingMessage, response: ServerResponse, launch: FakeLaunch): void {
    const last = request.headers['last-event-id'];
    launch.resumes.push(last === undefined ? undefined : String(last));
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    response.write(': hello\n\n');
    for (const event of launch.events) if (event.seq > Number(last ?? -1)) send(response, event);
    launch.watchers.add(response);
    response.on('close', () => launch.watchers.delete(response));
  }

  #cancel(response: ServerResponse, launch: FakeLaunch): void {
    const { hint, retryable } = ERRORS.cancelled;
    this.emit(launch, { phase: 'failed', during: 'building', code: 'cancelled', message: 'The launch was cancelled.', hint, retryable });
    response.writeHead(204).end();
  }

  async #open(request: IncomingMessage, response: ServerResponse, id: string): Promise<void> {
    const choice = JSON.parse(await body(request)) as { form?: string; path?: string };
    this.changes.push(`open ${choice.form} ${choice.path ?? ''}`.trim());
    if (this.sessions.some((one) => one.id === id && one.state === 'ended')) return fail(response, 'session_not_found');
    const { port } = new URL(this.origin);
    const base = choice.form === 'port' ? `${this.origin}/spent-port-form` : `http://${id}.localhost:${port}`;
    json(response, 200, { url: `${base}/s/${id}/${choice.path ?? ''}?code=once` });
  }

  async #share(request: IncomingMessage, response: ServerResponse, id: string): Promise<void> {
    const { role, seconds, path } = ShareSession.parse(JSON.parse(await body(request)));
    this.changes.push(`share ${role} ${seconds} ${path}`.trim());
    const url = `http://${id}.localhost/s/${id}/-/open?share=${role}`;
    json(response, 200, { url, role, endsAt: new Date(Date.now() + seconds * 1000).toISOString() });
  }
}

async function file(response: ServerResponse, path: string): Promise<void> {
  try {
    const content = await readFile(join(DIST, path));
    response.writeHead(200, { 'content-type': TYPES[path.split('.').at(-1) ?? ''] ?? 'application/octet-stream' }).end(content);
  } catch {
    response.writeHead(404).end();
  }
}

function parsedLink(text: string): Link | undefined {
  try {
    return parseLink(text);
  } catch {
    return undefined;
  }
}

async function body(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

function send(response: ServerResponse, event: LaunchEvent | undefined): void {
  if (event) response.write(`id: ${event.seq}\ndata: ${JSON.stringify(event)}\n\n`);
}

function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function fail(response: ServerResponse, code: ErrorCode): void {
  const { status, title, hint, retryable } = ERRORS[code];
  json(response, status, { error: { code, message: title, hint, retryable } });
}
