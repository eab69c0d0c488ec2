import { createServer, request, type IncomingMessage, type OutgoingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import { connect, type LookupFunction, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { LookupAddress } from 'node:dns';
import { parseAuthority, type Target, type Verdict } from './decision.ts';

export interface ProxyParts {
  readonly decide: (target: Target) => Promise<Verdict>;
  readonly limits: ProxyLimits;
  /** Called for every request that was turned away. */
  readonly onDenied: (target: Target, why: string) => void;
}

export interface ProxyLimits {
  /** Tunnels and requests at once. */
  readonly connections: number;
  /** Milliseconds until a connection must be there. */
  readonly connectMs: number;
  /** Milliseconds without a byte either way after which a connection is closed. */
  readonly idleMs: number;
}

/** Totals since the start. */
export interface ProxyCounters {
  open: number;
  total: number;
  denied: number;
  bytesUp: number;
  bytesDown: number;
}

/** A refusal: the reason is in the status line too, since that is all that pip and curl show of a refused CONNECT. */
interface Refusal {
  readonly status: number;
  readonly why: string;
  readonly hint: string;
}

const HEADER_BYTES = 16 * 1024;
const HEADER_MS = 15_000;
/** Of RFC 9110 §7.6.1, and what is meant for this proxy alone. */
const HOP_BY_HOP = new Set(
  'connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade expect'.split(' '),
);
const BUSY: Refusal = { status: 503, why: 'Too many connections', hint: 'Close some, then try again.' };
const SLOW: Refusal = { status: 504, why: 'No connection in time', hint: 'The host does not answer. Try again later.' };

/**
 * A forward proxy for HTTP (absolute-form requests) and for everything inside TLS (CONNECT), RFC 9110 §7.3 and §9.3.6.
 * It goes where `decide` lets it and nowhere else: no name is looked up again after the decision.
 */
export function createProxy({ decide, limits, onDenied }: ProxyParts): { server: Server; counters: ProxyCounters } {
  const counters: ProxyCounters = { open: 0, total: 0, denied: 0, bytesUp: 0, bytesDown: 0 };
  const server = createServer({ maxHeaderSize: HEADER_BYTES, headersTimeout: HEADER_MS, requestTimeout: 0, keepAliveTimeout: 5000 });
  server.maxConnections = 2 * limits.connections;

  /** The verdict on a target, counted; a refusal where it is none or there is no room. */
  const admit = async (target: Target | undefined, what: string): Promise<readonly LookupAddress[] | Refusal> => {
    if (!target) return { status: 400, why: 'Not an address', hint: `Cannot make sense of ${what}.` };
    if (counters.open > limits.connections) return BUSY;
    const verdict = await decide(target);
    if (verdict.ok) return verdict.addresses;
    counters.denied++;
    onDenied(target, verdict.why);
    return verdict;
  };
  const enter = (end: Duplex | ServerResponse): void => {
    counters.open++;
    counters.total++;
    end.once('close', () => counters.open--);
  };
  const leave = (upstream: Socket): void => {
    counters.bytesUp += upstream.bytesWritten;
    counters.bytesDown += upstream.bytesRead;
  };

  server.on('connect', (incoming: IncomingMessage, client: Duplex, head: Buffer) => {
    client.on('error', () => client.destroy());
    enter(client);
    void tunnel(incoming.url ?? '', client, head);
  });
  server.on('request', (incoming, response) => {
    response.on('error', () => response.destroy());
    enter(response);
    void forward(incoming, response);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (socket.writable && error.code !== 'ECONNRESET') {
      const tooLarge = error.code === 'HPE_HEADER_OVERFLOW';
      socket.end(`HTTP/1.1 ${tooLarge ? '431 Request Header Fields Too Large' : '400 Bad Request'}\r\nConnection: close\r\n\r\n`);
    } else socket.destroy();
  });

  async function tunnel(url: string, client: Duplex, head: Buffer): Promise<void> {
    const target = parseAuthority(url);
    const leaveTo = await admit(target, url.slice(0, 100));
    if (!target || 'status' in leaveTo) return void client.end(rawAnswer(leaveTo as Refusal));
    if (client.destroyed) return;
    const upstream = connect({ ...route(target, leaveTo), allowHalfOpen: true });
    const late = setTimeout(() => fail(SLOW), limits.connectMs);
    let connected = false;
    const fail = (refusal: Refusal): void => {
      clearTimeout(late);
      upstream.destroy();
      if (connected) client.destroy();
      else client.end(rawAnswer(refusal));
    };
    upstream.once('connect', () => {
      connected = true;
      clearTimeout(late);
      upstream.setTimeout(limits.idleMs, () => fail(SLOW));
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      if (head.length > 0) upstream.write(head);
      client.pipe(upstream).pipe(client);
    });
    upstream.on('error', (error) => fail(unreachable(target, error)));
    upstream.once('close', () => leave(upstream));
    client.once('close', () => {
      clearTimeout(late);
      upstream.destroy();
    });
  }

  async function forward(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = parseAbsolute(incoming.url ?? '');
    const leaveTo = await admit(url?.target, 'this request: a proxy takes absolute http:// addresses, and CONNECT for the rest');
    if (!url || 'status' in leaveTo) return answer(response, leaveTo as Refusal);
    if (response.destroyed) return;
    const outgoing = request({
      ...route(url.target, leaveTo),
      method: incoming.method,
      path: url.path,
      headers: requestHeaders(incoming, url.authority),
      setHost: false,
      agent: false,
      maxHeaderSize: HEADER_BYTES * 4,
    });
    const late = setTimeout(() => outgoing.destroy(new Error('no connection in time')), limits.connectMs);
    outgoing.on('socket', (socket) => {
      socket.once('connect', () => {
        clearTimeout(late);
        socket.setTimeout(limits.idleMs, () => outgoing.destroy(new Error('idle')));
      });
      socket.once('close', () => leave(socket));
    });
    outgoing.on('response', (upstream) => {
      response.writeHead(upstream.statusCode ?? 502, upstream.statusMessage, responseHeaders(upstream));
      upstream.on('error', () => response.destroy());
      upstream.pipe(response);
    });
    outgoing.on('error', (error) => {
      clearTimeout(late);
      if (response.headersSent) response.destroy();
      else answer(response, unreachable(url.target, error));
    });
    response.once('close', () => {
      clearTimeout(late);
      outgoing.destroy();
    });
    incoming.on('error', () => outgoing.destroy());
    incoming.pipe(outgoing);
  }

  return { server, counters };
}

/** Connects to the addresses of the verdict only, whatever the name may mean by now; the next one is tried when one does not answer. */
function route(
  target: Target,
  addresses: readonly LookupAddress[],
): { host: string; port: number; lookup: LookupFunction; autoSelectFamily: true } {
  const lookup: LookupFunction = (_name, options, done) => {
    const [first] = addresses;
    if (options.all) done(null, [...addresses]);
    else done(null, first?.address ?? '', first?.family);
  };
  return { host: target.host, port: target.port, lookup, autoSelectFamily: true };
}

/** Splits `http://host:port/path?query` without changing how the path is written. */
function parseAbsolute(url: string): { target: Target; authority: string; path: string } | undefined {
  const match = /^http:\/\/(?:[^/?#@]*@)?([^/?#@]+)([^#]*)/i.exec(url);
  const target = parseAuthority(match?.[1] ?? '', 80);
  if (!match || !target) return undefined;
  const path = match[2] ?? '';
  return { target, authority: match[1] ?? '', path: path.startsWith('/') ? path : `/${path}` };
}

/** The header fields to pass on: what is meant for the next hop is dropped, `Host` is what the address says (RFC 9112 §3.2.2). */
function requestHeaders(incoming: IncomingMessage, authority: string): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = { ...passed(incoming), host: authority, connection: 'close' };
  if (incoming.headers['transfer-encoding'] !== undefined) headers['transfer-encoding'] = 'chunked';
  return headers;
}

function responseHeaders(upstream: IncomingMessage): OutgoingHttpHeaders {
  return { ...passed(upstream), ...(upstream.headers['set-cookie'] ? { 'set-cookie': upstream.headers['set-cookie'] } : {}) };
}

function passed(message: IncomingMessage): Record<string, string | string[]> {
  const named = new Set((message.headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase()));
  const kept: Record<string, string | string[]> = Object.create(null) as Record<string, string | string[]>;
  for (const [name, values] of Object.entries(message.headersDistinct)) {
    if (values && !HOP_BY_HOP.has(name) && !named.has(name)) kept[name] = values.length === 1 ? (values[0] ?? '') : values;
  }
  return kept;
}

function unreachable({ host, port }: Target, error: NodeJS.ErrnoException): Refusal {
  return { status: 502, why: `No connection to ${host} port ${port}`, hint: error.code ?? 'The connection ended early.' };
}

function body({ why, hint }: Refusal): string {
  return `${why}. ${hint}\n`;
}

function rawAnswer(refusal: Refusal): string {
  const text = body(refusal);
  return `HTTP/1.1 ${refusal.status} ${refusal.why}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`;
}

function answer(response: ServerResponse, refusal: Refusal): void {
  const text = body(refusal);
  response.writeHead(refusal.status, refusal.why, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    connection: 'close',
  });
  response.end(text);
}
