import type { IncomingMessage } from 'node:http';
import type { Form } from './access.ts';
import { boundCookie, foreignCookies } from './cookies.ts';
import type { Route } from './routes.ts';
import { visitorName, type Visitor } from './visitors.ts';

/** The host name that sessions see, where they go by no other: Jupyter takes it for local and so answers (rule R5). */
const SESSION_HOST = 'localhost';

/** Headers that belong to one connection, not to the message (RFC 9110 §7.6.1), and `Expect`, which the proxy answers itself. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'http2-settings',
]);
/** Replaced by the proxy's own, whatever the client claims (rule R3). */
const FORWARDING = /^(?:x-forwarded(?:-.*)?|forwarded|x-real-ip|x-original-.*|x-scheme(?:-.*)?|via|x-bindery-.*)$/;
const NOT_PASSED = new Set([...HOP_BY_HOP, 'host', 'authorization', 'cookie', 'origin', 'referer']);
/** What would reach beyond the session's own paths, or beyond its life (rule S3). */
const TOO_FAR = new Set([
  'service-worker-allowed',
  'clear-site-data',
  'strict-transport-security',
  'alt-svc',
  'nel',
  'report-to',
  'public-key-pins',
]);

export interface HeaderOrder {
  /** Who asks, for a server that is told (rule Z4). */
  readonly visitor?: Visitor | undefined;
  readonly route: Route;
  readonly form: Form;
  readonly scheme: 'http' | 'https';
}

/** The headers a session gets, as a flat list of names and values (rules R1–R6). `Host` is the first. */
export function requestHeaders(req: IncomingMessage, { route, scheme, visitor }: HeaderOrder): string[] {
  const server = route.host ?? SESSION_HOST;
  const out = ['host', server];
  const { headers } = req;
  const named = namedByConnection(headers.connection);
  for (const name of Object.keys(headers)) {
    if (NOT_PASSED.has(name) || named?.has(name)) continue;
    const first = name.charCodeAt(0);
    // x, f, p, v
    if ((first === 120 || first === 102 || first === 112 || first === 118) && (FORWARDING.test(name) || name.startsWith('proxy-')))
      continue;
    const value = headers[name];
    if (value !== undefined) out.push(name, typeof value === 'string' ? value : value.join(', '));
  }
  const { cookie, origin, referer, host = '' } = headers;
  const left = cookie === undefined ? undefined : foreignCookies(cookie);
  if (left !== undefined) out.push('cookie', left);
  if (route.authorization !== undefined) out.push('authorization', route.authorization);
  if (origin !== undefined) out.push('origin', `${scheme}://${server}`);
  if (referer !== undefined) pushReferer(out, referer, host, `${scheme}://${server}`);
  if (visitor)
    out.push('x-bindery-role', visitor.role, 'x-bindery-path', encodeURIComponent(visitor.path), 'x-bindery-visitor', visitorName(visitor));
  const peer = req.socket.remoteAddress ?? '';
  out.push('x-forwarded-for', peer, 'x-forwarded-proto', scheme, 'x-forwarded-host', host, 'x-forwarded-port', portOf(host, scheme));
  return out;
}

/** A referrer on the same host becomes one on the session's host, without its query, where a token may be; of others the origin is left (rule R6). */
function pushReferer(out: string[], referer: string, host: string, server: string): void {
  const colon = server.indexOf(':');
  const start = colon + 3;
  if (referer.startsWith(host, start) && referer.startsWith('://', colon) && referer.charCodeAt(start + host.length) === 47) {
    const end = referer.search(/[?#]/);
    out.push('referer', `${server}${referer.slice(start + host.length, end < 0 ? undefined : end)}`);
    return;
  }
  const url = URL.parse(referer);
  if (url?.protocol === 'http:' || url?.protocol === 'https:') out.push('referer', `${url.origin}/`);
}

function namedByConnection(connection: string | undefined): Set<string> | undefined {
  if (connection === undefined || connection === 'keep-alive' || connection === 'Upgrade') return undefined;
  return new Set(
    connection
      .toLowerCase()
      .split(',')
      .map((name) => name.trim()),
  );
}

function portOf(host: string, scheme: string): string {
  const colon = host.lastIndexOf(':');
  return colon > host.lastIndexOf(']') ? host.slice(colon + 1) : scheme === 'https' ? '443' : '80';
}

/** The headers of a session's answer as its reader gets them, flat (rules S1–S6). `trailers`: the answer can carry them. */
export function responseHeaders(headers: NodeJS.Dict<string | string[]>, { route, form }: HeaderOrder, trailers: boolean): string[] {
  const out: string[] = [];
  const connection = headers['connection'];
  const named = namedByConnection(Array.isArray(connection) ? connection.join(',') : connection);
  for (const name of Object.keys(headers)) {
    const value = headers[name];
    if (value === undefined || named?.has(name) || TOO_FAR.has(name)) continue;
    if (HOP_BY_HOP.has(name) && !(name === 'trailer' && trailers)) continue;
    if (form === 'path' && name.startsWith('access-control-')) continue;
    for (const one of typeof value === 'string' ? [value] : value) pushAnswered(out, name, one, route);
  }
  if (form === 'path') {
    // The session's pages must not run on the hub's origin, whoever was made to open them (rule T6).
    out.push('Access-Control-Allow-Origin', '*', 'Access-Control-Expose-Headers', '*');
    out.push('Content-Security-Policy', 'sandbox', 'X-Content-Type-Options', 'nosniff');
  }
  return out;
}

function pushAnswered(out: string[], name: string, value: string, { prefix, host = SESSION_HOST }: Route): void {
  if (name === 'set-cookie') {
    const cookie = boundCookie(value, prefix);
    if (cookie !== undefined) out.push(name, cookie);
  } else out.push(name, name === 'location' ? ownPath(value, host) : value);
}

/** An address on the server's own host as a path: the host is not ours (rule S4). */
function ownPath(location: string, host: string): string {
  const scheme = /^https?:\/\//i.exec(location)?.[0] ?? '';
  const path = location.slice(scheme.length + host.length);
  const isOwn = scheme !== '' && location.slice(scheme.length, scheme.length + host.length).toLowerCase() === host.toLowerCase();
  return isOwn && /^\/(?!\/)/.test(path) ? path : location;
}
