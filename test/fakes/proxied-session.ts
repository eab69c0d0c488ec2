import { createServer, request, type IncomingHttpHeaders, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocketServer, type WebSocket } from 'ws';
import { systemClock } from '../../packages/bindery/src/base/clock.ts';
import { makeLog } from '../../packages/bindery/src/base/log.ts';
import { createListener, type ListenerLimits } from '../../packages/bindery/src/proxy/listener.ts';
import { createProxy, type Proxy, type ProxyOptions } from '../../packages/bindery/src/proxy/proxy.ts';

export const ID = 'abcdefghijklmnop';
export const OTHER = 'ponmlkjihgfedcba';

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  rawHeaders: string[];
  body: string;
}

export interface Ask {
  method?: string;
  headers?: Record<string, string | string[]>;
  body?: string | Buffer;
  port?: number;
}

/** A proxy with both of its listeners before one session on a UNIX socket, which is reached under two ids. */
export interface ProxiedSession {
  proxy: Proxy;
  /** The hub's listener and the one on the second port. */
  port: number;
  second: number;
  hub: Server;
  socketPath: string;
  /** What the session got, newest last. */
  seen: IncomingMessage[];
  /** WebSockets as the session has them. */
  sockets: WebSocket[];
  ask(path: string, ask?: Ask): Promise<Reply>;
  /** Sends bytes as they are, and resolves with all that comes until the other side ends. */
  raw(bytes: string, port?: number): Promise<string>;
  /** `cookie` header of a browser that has opened the session. */
  enter(id?: string, form?: 'host' | 'port'): Promise<string>;
  close(): Promise<void>;
}

export interface ProxiedOptions {
  answer?: RequestListener;
  proxy?: Partial<ProxyOptions>;
  limits?: Partial<ListenerLimits>;
  next?: RequestListener;
  /** Called for raw upgrades instead of a WebSocket server. */
  upgrade?: (req: IncomingMessage, socket: Socket) => void;
}

/** Listens on loopback, any port. */
export async function listening(server: Server, path?: string): Promise<number> {
  await new Promise<void>((resolve) => (path === undefined ? server.listen(0, '127.0.0.1', resolve) : server.listen(path, resolve)));
  return path === undefined ? (server.address() as AddressInfo).port : 0;
}

export async function proxiedSession(options: ProxiedOptions = {}): Promise<ProxiedSession> {
  const folder = await mkdtemp(join(tmpdir(), 'proxied-'));
  const socketPath = join(folder, 'nb.sock');
  const seen: IncomingMessage[] = [];
  const sockets: WebSocket[] = [];
  const answer = options.answer ?? ((req, res) => req.pipe(res));
  const session = createServer({ requestTimeout: 0 }, (req, res) => {
    seen.push(req);
    answer(req, res);
  });
  if (options.upgrade) session.on('upgrade', options.upgrade);
  else {
    const server = new WebSocketServer({ server: session, perMessageDeflate: true, handleProtocols: (names) => [...names][0] ?? false });
    server.on('connection', (socket, req) => {
      seen.push(req);
      sockets.push(socket);
      socket.on('message', (data, binary) => socket.send(data, { binary }));
    });
  }
  await listening(session, socketPath);
  let port = 0;
  let second = 0;
  const proxy = createProxy({
    clock: systemClock,
    log: makeLog('silent'),
    hosts: { hub: ['localhost', '127.0.0.1', '[::1]'], sessionSuffix: '.localhost', secure: false },
    explain: () => undefined,
    hubUrl: (id) => `http://localhost:${port}/${id ? `sessions/${id}` : ''}`,
    portUrl: () => `http://localhost:${second}`,
    ...options.proxy,
  });
  for (const id of [ID, OTHER]) proxy.addRoute({ id, prefix: `/s/${id}/`, target: { socketPath }, authorization: 'token inner' });
  const limits = options.limits ? { limits: options.limits } : {};
  const hub = createListener(proxy, { next: options.next ?? ((_, res) => res.end('hub')), ...limits });
  const side = createListener(proxy, { door: 'sessions', ...limits });
  port = await listening(hub);
  second = await listening(side);

  const ask = (path: string, { method = 'GET', headers = {}, body = '', port: to = port }: Ask = {}): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const req = request(
        { port: to, host: '127.0.0.1', path, method, headers: { host: `localhost:${to}`, ...headers }, agent: false },
        (res) => {
          let text = '';
          res.setEncoding('utf8').on('data', (chunk) => (text += String(chunk)));
          res.on('error', reject);
          res.on('end', () => resolve({ status: res.statusCode ?? 0, headers: res.headers, rawHeaders: res.rawHeaders, body: text }));
        },
      );
      req.on('error', reject);
      req.end(body);
    });
  return {
    proxy,
    port,
    second,
    hub,
    socketPath,
    seen,
    sockets,
    ask,
    raw: (bytes, to = port) => exchange(to, bytes),
    enter: async (id = ID, form = 'host') => {
      const url = new URL(proxy.browserUrl(id, '', form));
      const reply = await ask(url.pathname + url.search, { headers: { host: url.host }, port: form === 'host' ? port : second });
      return reply.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
    },
    close: async () => {
      await proxy.close({ graceMs: 0 });
      for (const socket of sockets) socket.terminate();
      for (const server of [hub, side, session]) {
        server.closeAllConnections();
        server.close();
      }
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Sends bytes and collects the answer until the other side closes. */
export function exchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.setEncoding('latin1').on('data', (chunk) => (text += String(chunk)));
    socket.on('error', () => undefined).on('close', () => resolve(text));
    socket.write(bytes, 'latin1');
  });
}

/** Waits for a condition, at most ten seconds. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`Waited in vain for ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
