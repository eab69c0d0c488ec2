import { createServer, request, type IncomingMessage, type OutgoingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { parseAuthority, type Target } from './decision.ts';
import { createGateway, type IndexSource } from './index-gateway.ts';
import { Passage, refusalText, refuse, unreachable, type Counters, type PassageParts, type Refusal } from './passage.ts';

export interface ProxyParts extends PassageParts {
  /** Package indexes that are asked here, in the place of sandboxes. */
  readonly indexes?: readonly IndexSource[];
  /** Secret for the links to their files. */
  readonly key?: string;
}

const HEADER_BYTES = 16 * 1024;
const HEADER_MS = 15_000;
/** Of RFC 9110 §7.6.1, and what is meant for this proxy alone. */
const HOP_BY_HOP = new Set(
  'connection keep-alive proxy-connection proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade expect'.split(' '),
);
const NO_ADDRESS: Refusal = {
  status: 400,
  why: 'Not an address',
  hint: 'This proxy takes absolute http:// addresses, and CONNECT host:port for the rest.',
};

/**
 * A forward proxy for HTTP (absolute-form requests) and for everything inside TLS (CONNECT), RFC 9110 §7.3 and §9.3.6.
 * It goes where `decide` lets it and nowhere else: no name is looked up again after the decision.
 */
export function createProxy(parts: ProxyParts): { server: Server; counters: Counters } {
  const passage = new Passage(parts);
  const gateway = createGateway({ indexes: parts.indexes ?? [], key: parts.key ?? '', passage });
  const server = createServer({ maxHeaderSize: HEADER_BYTES, headersTimeout: HEADER_MS, requestTimeout: 0, keepAliveTimeout: 5000 });
  server.maxConnections = 2 * parts.limits.connections;
  server.on('connect', (incoming: IncomingMessage, client: Duplex, head: Buffer) => {
    client.on('error', () => client.destroy());
    passage.enter(client);
    void tunnel(passage, incoming.url ?? '', client as Socket, head);
  });
  server.on('request', (incoming, response) => {
    response.on('error', () => response.destroy());
    passage.enter(response);
    if (!gateway.handle(incoming, response)) void forward(passage, incoming, response);
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const status = error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
    if (!socket.writable || error.code === 'ECONNRESET') socket.destroy();
    else socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`);
  });
  return { server, counters: passage.counters };
}

async function tunnel(passage: Passage, url: string, client: Socket, head: Buffer): Promise<void> {
  const target = parseAuthority(url);
  const upstream = target ? await passage.reach(target, client) : NO_ADDRESS;
  if ('status' in upstream) return void client.end(refusalText(upstream));
  upstream.on('error', () => client.destroy());
  upstream.once('close', () => client.destroySoon());
  client.write('HTTP/1.1 200 Connection established\r\n\r\n');
  if (head.length > 0) upstream.write(head);
  client.pipe(upstream).pipe(client);
}

async function forward(passage: Passage, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = parseAbsolute(incoming.url ?? '');
  const upstream = url ? await passage.reach(url.target, response) : NO_ADDRESS;
  if (!url || 'status' in upstream) return refuse(response, upstream as Refusal);
  const outgoing = request({
    createConnection: () => upstream,
    method: incoming.method,
    path: url.path,
    headers: requestHeaders(incoming, url.authority),
    setHost: false,
    maxHeaderSize: HEADER_BYTES * 4,
  });
  outgoing.on('response', (reply) => {
    response.writeHead(reply.statusCode ?? 502, reply.statusMessage, passed(reply));
    reply.on('error', () => response.destroy());
    reply.pipe(response);
  });
  outgoing.on('error', (error) => refuse(response, unreachable(url.target, error)));
  incoming.on('error', () => outgoing.destroy());
  incoming.pipe(outgoing);
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

function passed(message: IncomingMessage): OutgoingHttpHeaders {
  const named = new Set((message.headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase()));
  const kept = Object.create(null) as OutgoingHttpHeaders;
  for (const [name, values] of Object.entries(message.headersDistinct)) {
    if (values && !HOP_BY_HOP.has(name) && !named.has(name)) kept[name] = values.length === 1 ? values[0] : values;
  }
  return kept;
}
