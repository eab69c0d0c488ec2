import { createHmac, timingSafeEqual } from 'node:crypto';
import { request as requestHttp, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http';
import { request as requestHttps } from 'node:https';
import { parseAuthority, type Target } from './decision.ts';
import { refuse, unreachable, type Passage, type Refusal } from './passage.ts';

/**
 * The package indexes that sandboxes cannot or must not ask themselves: those with credentials, on this machine's loopback, or
 * whose certificates are not to be checked. In a sandbox such an index is `http://127.0.0.1:3128/index/<n>/<path>`; the
 * gateway adds what it takes and passes on its pages (PEP 503, PEP 691) with the links to its own files led through here.
 *
 * Credentials open the index and the files it names, nothing else of that host: a path outside of the index's own is served only
 * with the signature that a page gave to it.
 */
export interface IndexGateway {
  /** Answers a request for a path of ours; false when it is none. */
  handle(incoming: IncomingMessage, response: ServerResponse): boolean;
}

export interface GatewayParts {
  /** Addresses of simple APIs, perhaps with credentials. */
  readonly indexes: readonly IndexSource[];
  /** Secret for signatures: the same as long as the sandboxes live. */
  readonly key: string;
  readonly passage: Passage;
}

export interface IndexSource {
  readonly url: string;
  /** Its certificate is not checked, as the machine's own settings say. */
  readonly insecure: boolean;
}

interface Index extends IndexSource {
  readonly base: URL;
  readonly target: Target;
  /** Path that requests of sandboxes begin with. */
  readonly prefix: string;
  readonly authorization: string | undefined;
  sign(path: string): string;
}

const PAGE = /^(text\/html|application\/vnd\.pypi\.simple\.v1\+(html|json))\b/;
const READ_ONLY: Refusal = { status: 405, why: 'Read only', hint: 'Packages can be read here, nothing else.' };
const NOT_THERE: Refusal = { status: 404, why: 'Not found', hint: 'This is no page or file of a configured package index.' };
const PAGE_BYTES = 64 * 1024 * 1024;
const PASSED_ON = ['accept', 'user-agent', 'range', 'if-none-match', 'if-modified-since', 'if-range', 'cache-control'];
const PASSED_BACK = [
  'content-type',
  'content-length',
  'content-range',
  'accept-ranges',
  'etag',
  'last-modified',
  'cache-control',
  'vary',
  'date',
  'age',
  'expires',
];

/** The path under which a sandbox finds index number `n`. */
export function gatewayPath(n: number, url: string): string {
  return `/index/${n}${new URL(url).pathname.replace(/\/+$/, '')}`;
}

export function createGateway({ indexes, key, passage }: GatewayParts): IndexGateway {
  const known = indexes.map((source, n) => describe(source, n, key));
  return {
    handle: (incoming, response) => {
      const match = /^\/index\/(\d{1,3})(\/.*)$/.exec(incoming.url ?? '');
      if (!match) return false;
      const index = known[Number(match[1])];
      const path = index && asked(index, match[2] ?? '');
      if (incoming.method !== 'GET' && incoming.method !== 'HEAD') refuse(response, READ_ONLY);
      else if (!index || path === undefined) refuse(response, NOT_THERE);
      else void fetchFor(passage, index, path, response);
      return true;
    },
  };
}

/** A link of a page, as the sandbox shall see it: those to the index's own host lead through here. */
function led(index: Index, page: URL, link: string): string {
  if (!URL.canParse(link, page)) return link;
  const url = new URL(link, page);
  if (url.origin !== index.base.origin) return url.href;
  const path = url.pathname + url.search;
  return `${index.prefix}${isBelow(index, url.pathname) ? '' : `/-${index.sign(path)}`}${path}${url.hash}`;
}

/** The path that a request asks the index for, if it may. */
function asked(index: Index, rest: string): string | undefined {
  const signed = /^\/-([\w-]{22})(\/.*)$/.exec(rest);
  const url = new URL(`${index.base.origin}${signed?.[2] ?? rest}`);
  const path = url.pathname + url.search;
  if (!signed) return isBelow(index, url.pathname) ? path : undefined;
  return timingSafeEqual(Buffer.from(index.sign(path)), Buffer.from(signed[1] ?? '')) ? path : undefined;
}

async function fetchFor(passage: Passage, index: Index, path: string, response: ServerResponse): Promise<void> {
  const socket = await passage.reach(index.target, response);
  if ('status' in socket) return refuse(response, socket);
  const { base, authorization } = index;
  const secure = base.protocol === 'https:';
  const outgoing = (secure ? requestHttps : requestHttp)({
    ...(secure ? { socket, servername: base.hostname, rejectUnauthorized: !index.insecure } : { createConnection: () => socket }),
    ...(secure ? { agent: false } : {}),
    host: base.hostname,
    method: response.req.method,
    path,
    headers: {
      ...picked(response.req, PASSED_ON),
      host: base.host,
      'accept-encoding': 'identity',
      ...(authorization ? { authorization } : {}),
    },
    setHost: false,
  });
  outgoing.on('response', (reply) => void passBack(index, new URL(path, base), reply, response));
  outgoing.on('error', (error) => refuse(response, unreachable(index.target, error)));
  outgoing.end();
}

async function passBack(index: Index, page: URL, reply: IncomingMessage, response: ServerResponse): Promise<void> {
  const headers = picked(reply, PASSED_BACK);
  const lead = (link: string): string => led(index, page, link);
  if (reply.headers.location !== undefined) headers['location'] = lead(reply.headers.location);
  reply.on('error', () => response.destroy());
  const type = reply.headers['content-type'] ?? '';
  // only the index's own pages vouch for files: others may link to everything on that host
  const isPage = PAGE.test(type) && isBelow(index, page.pathname);
  if (!isPage || reply.statusCode !== 200 || response.req.method === 'HEAD') {
    response.writeHead(reply.statusCode ?? 502, headers);
    reply.pipe(response);
    return;
  }
  try {
    const text = await pageText(reply);
    const body = Buffer.from(type.includes('json') ? leadJson(text, lead) : leadHtml(text, lead));
    response.writeHead(200, { ...headers, 'content-length': body.length });
    response.end(body);
  } catch (error) {
    refuse(response, unreachable(index.target, error as Error));
  }
}

function describe(source: IndexSource, n: number, key: string): Index {
  const base = new URL(source.url);
  const pair = base.username || base.password ? `${decodeURIComponent(base.username)}:${decodeURIComponent(base.password)}` : undefined;
  base.username = '';
  base.password = '';
  const target = parseAuthority(base.host, base.protocol === 'https:' ? 443 : 80);
  if (!target) throw new Error(`${base.host} cannot be the host of a package index.`);
  const prefix = `/index/${n}`;
  return {
    ...source,
    base,
    target,
    prefix,
    sign: (path) => createHmac('sha256', key).update(`${prefix}\n${path}`).digest('base64url').slice(0, 22),
    authorization: pair === undefined ? undefined : `Basic ${Buffer.from(pair).toString('base64')}`,
  };
}

/** Whether a path, as URL has normalised it, lies in the index. Encoded dots and slashes might mean something else to the server. */
function isBelow(index: Index, path: string): boolean {
  const root = index.base.pathname.replace(/\/+$/, '');
  return (path === root || path.startsWith(`${root}/`)) && !/%2e|%2f|%5c|\\/i.test(path);
}

/** Leads the links of an HTML page: `href="…"` of its anchors, entities of URLs undone and made again. */
function leadHtml(text: string, lead: (link: string) => string): string {
  return text.replace(/(<a\b[^>]*?\shref\s*=\s*)(?:"([^"]*)"|'([^']*)')/gi, (_all, before: string, double?: string, single?: string) => {
    const link = (double ?? single ?? '').replaceAll('&amp;', '&');
    return `${before}"${lead(link).replaceAll('&', '&amp;').replaceAll('"', '&quot;')}"`;
  });
}

function leadJson(text: string, lead: (link: string) => string): string {
  return JSON.stringify(JSON.parse(text), (name, value: unknown) => (name === 'url' && typeof value === 'string' ? lead(value) : value));
}

async function pageText(reply: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of reply as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > PAGE_BYTES) throw new Error('The page is too large.');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function picked(message: IncomingMessage, names: readonly string[]): OutgoingHttpHeaders {
  return Object.fromEntries(names.flatMap((name) => (message.headers[name] === undefined ? [] : [[name, message.headers[name]]])));
}
