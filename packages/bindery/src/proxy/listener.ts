import { createServer, STATUS_CODES, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Door } from './hosts.ts';
import type { Proxy } from './proxy.ts';
import { cutAfter, problemAnswer, sendRaw } from './answers.ts';

/** Limits of a listener (rules L1–L4). Durations in milliseconds. */
export interface ListenerLimits {
  /** From the connection, or from the answer before, to the end of a request's head. */
  readonly headersMs: number;
  /** How long a connection may stay without a request. */
  readonly idleMs: number;
  /** The longest a body may take that is not for a session. */
  readonly ownBodyMs: number;
  /** Connections at once. */
  readonly sockets: number;
}

export const LIMITS: ListenerLimits = { headersMs: 20_000, idleMs: 30_000, ownBodyMs: 60_000, sockets: 16_384 };
const MOST_HEADER_BYTES = 64 * 1024;

/**
 * An HTTP server that asks the proxy first and `next` for what is not a session's. It does not listen yet.
 * Fastify takes it as `serverFactory: (handler) => createListener(proxy, { next: handler })`.
 */
export function createListener(
  proxy: Proxy,
  options: { next?: RequestListener; door?: Door; limits?: Partial<ListenerLimits> } = {},
): Server {
  const { next, door = 'hub' } = options;
  const limits = { ...LIMITS, ...options.limits };
  const server = createServer({
    maxHeaderSize: MOST_HEADER_BYTES,
    headersTimeout: limits.headersMs,
    // Uploads take as long as they take; exchanges in which nothing moves are ended by the proxy.
    requestTimeout: 0,
    keepAliveTimeout: limits.idleMs,
    connectionsCheckingInterval: Math.max(100, Math.min(5000, limits.headersMs / 4)),
    noDelay: true,
    insecureHTTPParser: false,
    // Other protocols (h2c) are ignored, as HTTP lets a server do: the request is answered as if it did not ask.
    shouldUpgradeCallback: (req) => req.method === 'GET' && /^websocket$/i.test(req.headers.upgrade ?? ''),
  });
  server.maxConnections = limits.sockets;
  const other: RequestListener = (req, res) => {
    if (!next) return proxy.nothing(req, res);
    if (!req.complete) cutAfter(req, limits.ownBodyMs);
    next(req, res);
  };
  server.on('request', (req, res) => {
    if (!proxy.handle(req, res, door)) other(req, res);
  });
  // Asked before a body is sent: only those who may send one are told to go on (rule A1).
  server.on('checkContinue', (req, res) => {
    if (proxy.handle(req, res, door)) return;
    res.writeContinue();
    other(req, res);
  });
  server.on('upgrade', (req, socket: Socket, head) => {
    if (!proxy.upgrade(req, socket, head, door)) refuse(socket, 404);
  });
  server.on('connect', (_, socket: Socket) => refuse(socket, 405));
  server.on('clientError', (error: Error & { code?: string }, socket: Socket & { _httpMessage?: ServerResponse }) => {
    // In the middle of an answer another one would be read as its body.
    if (!socket.writable || socket._httpMessage?.headersSent || error.code === 'ECONNRESET') socket.destroy();
    else refuse(socket, statusOf(error.code));
  });
  return server;
}

function statusOf(code: string | undefined): number {
  if (code === 'HPE_HEADER_OVERFLOW') return 431;
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
}

function refuse(socket: Socket, status: number): void {
  const message = `${STATUS_CODES[status] ?? 'Bad Request'}.`;
  sendRaw(socket, problemAnswer({ code: 'request_invalid', status, message, hint: 'Check the request.' }, false));
}
