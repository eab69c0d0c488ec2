import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { ANY_SITE, bare, problemAnswer, wantsPage, type Answer, type Problem } from './answers.ts';
import { readCookies } from './cookies.ts';
import type { Keys } from './keys.ts';
import { inside, parameter, parsePath, withoutParameter, type RequestPath } from './path.ts';
import type { Door, Hosts, Place } from './hosts.ts';
import type { Route, RouteTable } from './routes.ts';
import { mayAsk, stronger, type Visitor } from './visitors.ts';

/** What a session's end was, as far as the hub knows. */
export interface Explanation {
  /** `gone` answers 424 to programs and people; `starting` 503 with `Retry-After`. */
  readonly state: 'starting' | 'gone';
  /** One or two sentences: "The session ended: it used more than 2 GB of memory." */
  readonly message: string;
  readonly hint?: string | undefined;
  /** To the log, to saved work, to launch again. */
  readonly links?: readonly { readonly href: string; readonly text: string }[] | undefined;
}

/** How a request came in: `path` = on the hub's host with a token, `host` and `port` = on a session's origin with its cookie. */
export type Form = 'path' | 'host' | 'port';

/** What is to be done with a request, decided from its head alone (rule A1). */
export type Decision =
  | { readonly kind: 'pass' }
  | { readonly kind: 'answer'; readonly answer: Answer }
  | {
      readonly kind: 'forward';
      readonly route: Route;
      readonly form: Form;
      readonly path: string;
      readonly tail: string;
      readonly origin: string;
      readonly visitor: Visitor;
    }
  | { readonly kind: 'inside'; readonly route: Route; readonly name: string; readonly visitor: Visitor };

export interface AccessParts {
  readonly hosts: Hosts;
  readonly table: RouteTable;
  readonly keys: Keys;
  readonly explain: (id: string) => Explanation | undefined;
  /** What to do for who may not enter, where there is no hub that helps. */
  readonly wayIn?: string | undefined;
  /** The hub's page for a session (or its start page), as an absolute address. */
  readonly hubUrl: (id?: string) => string;
  /** An address that lets a browser into a session: a fresh one-time link, or a share link. */
  readonly browserUrl: (id: string, next: string, share?: string) => string;
}

type Request = Pick<IncomingMessage, 'method' | 'url' | 'headers' | 'rawHeaders'>;

/** Where a request was found to lead. */
interface Visit {
  readonly req: Request;
  readonly place: Place;
  readonly path: RequestPath;
  readonly route: Route;
  readonly tail: string;
  readonly upgrade: boolean;
}

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Decides about every request before its body is read: which route, and whether whoever asks may use it. */
export class Access {
  readonly #parts: AccessParts;

  constructor(parts: AccessParts) {
    this.#parts = parts;
  }

  decide(req: Request, door: Door, upgrade: boolean): Decision {
    const place = this.#parts.hosts.place(req.headers.host, door);
    if (!place) return this.#problem(req, { code: 'host_unknown', message: 'This hub serves nothing under the host name of the request.' });
    const path = parsePath(req.url ?? '');
    if (!path || saysHostTwice(req.rawHeaders) || req.method === 'TRACE' || req.method === 'CONNECT') return this.#bad(req);
    const match = this.#parts.table.find(path.segments);
    if (match === 'hidden') return this.#bad(req);
    if (!match) return this.#unrouted(req, place, path);
    const { route, depth } = match;
    if (place.kind === 'host' && place.id !== route.id) return this.#nothing(req);
    if (path.segments.length === depth) return redirect(307, `${path.path}/${path.query === undefined ? '' : `?${path.query}`}`);
    const tail = path.path.startsWith(route.prefix) ? path.path.slice(route.prefix.length) : path.segments.slice(depth).join('/');
    const visit: Visit = { req, place, path, route, tail, upgrade };
    return place.kind === 'hub' || (place.kind === 'alone' && this.#isProgram(visit))
      ? this.#byToken(visit)
      : this.#byCookie(visit, place.origin);
  }

  /** Where one door is for both: who brings a token, and no cookie that opens (rule N2). */
  #isProgram({ req, path, route }: Visit): boolean {
    if (tokenOf(req, path) === undefined && !isPreflight(req)) return false;
    const cookies = readCookies(req.headers.cookie ?? '', this.#parts.hosts.cookieName);
    return !cookies.some((value) => this.#parts.keys.byCookie(route.id, value));
  }

  /** A path that no route takes: the hub's own, or a session that is not there (any more). */
  #unrouted(req: Request, place: Place, { path, segments }: RequestPath): Decision {
    const id = segments[0] === 's' && segments.length > 1 ? segments[1] : undefined;
    if (place.kind === 'hub' && id === undefined) return { kind: 'pass' };
    if (place.kind !== 'hub' && path === '/-/probe') return { kind: 'answer', answer: bare(204, ANY_SITE) };
    if (place.kind === 'host' && path === '/') return redirect(302, `/s/${place.id}/`);
    if (id === undefined || (place.kind === 'host' && place.id !== id)) return this.#nothing(req);
    return this.#missing(req, id, place.kind === 'hub');
  }

  #missing(req: Request, id: string, cors: boolean): Decision {
    const why = this.#parts.explain(id);
    const links = why?.links ?? [{ href: this.#parts.hubUrl(id), text: 'Go to the hub' }];
    const headers = cors ? ANY_SITE : [];
    if (!why)
      return this.#problem(req, { code: 'session_not_found', message: `There is no session ${id.slice(0, 64)} here.`, links, headers });
    const { message, hint } = why;
    if (why.state === 'gone') return this.#problem(req, { code: 'session_ended', message, hint, links, headers });
    return this.#problem(req, { code: 'session_starting', message, hint, links, headers: [...headers, ['Retry-After', '2']] });
  }

  /** On the hub's host: explicit tokens only, never cookies; any site may call (rules T1–T6). */
  #byToken(visit: Visit): Decision {
    const { req, path, route, tail } = visit;
    if (tail.startsWith('-/')) return this.#nothing(req, ANY_SITE);
    if (isPreflight(req)) return preflight(req.headers);
    const token = tokenOf(req, path);
    const visitor = token === undefined ? undefined : this.#parts.keys.byToken(route.id, token);
    if (token === undefined || !visitor) return this.#tokenless(visit, token !== undefined);
    const query = withoutParameter(path.query, 'token');
    const rest = query === undefined ? '' : `?${query}`;
    // A page must not run on the hub's origin: the browser is sent to the session's own.
    if (isNavigation(req)) {
      const next = path.path.slice(route.prefix.length) + rest;
      // Who has a share link gets no more than that by opening it.
      const share = visitor.until === undefined ? undefined : token;
      return redirect(303, this.#parts.browserUrl(route.id, next, share));
    }
    if (req.headers['service-worker'] !== undefined) return this.#refuse(req, 'Service workers are not served here.', ANY_SITE);
    if (!mayAsk(visitor, req.method ?? '', tail, visit.upgrade)) return this.#tooLittle(req, visitor, ANY_SITE);
    return { kind: 'forward', route, form: 'path', path: path.path + rest, tail, origin: '', visitor };
  }

  #tokenless({ req, route }: Visit, wrong: boolean): Decision {
    const message = wrong
      ? 'The token of the request does not open this session.'
      : 'Under this address a session answers programs that bring its token; a browser enters through the hub.';
    const hint = 'Open the session from the hub, or send its token as "Authorization: token ...".';
    return this.#problem(req, { code: 'forbidden', message, headers: ANY_SITE, ...this.#wayIn(route, hint) });
  }

  /** What whoever may not enter can do about it. */
  #wayIn({ id }: Route, hint: string): Pick<Problem, 'hint' | 'links'> {
    const { wayIn, hubUrl } = this.#parts;
    return wayIn === undefined ? { hint, links: [{ href: hubUrl(id), text: 'Open the session from the hub' }] } : { hint: wayIn };
  }

  /** On a session's origin: its cookie, and for whatever is not harmless the proof that the session's own page asks (rules B1–B7). */
  #byCookie(visit: Visit, origin: string): Decision {
    const { req, path, route, tail } = visit;
    let visitor: Visitor | undefined;
    for (const value of readCookies(req.headers.cookie ?? '', this.#parts.hosts.cookieName))
      visitor = stronger(visitor, this.#parts.keys.byCookie(route.id, value));
    if (tail === '-/probe') return { kind: 'answer', answer: bare(204, ANY_SITE) };
    if (tail === '-/open') return this.#open(visit, visitor);
    if (!visitor) {
      const message = 'This browser has not entered the session yet, or its permission has gone.';
      return this.#problem(req, { code: 'forbidden', message, ...this.#wayIn(route, 'Open the session from the hub.') });
    }
    const fault = foreign(visit, origin);
    if (fault) return this.#refuse(req, fault);
    if (tail.startsWith('-/')) return { kind: 'inside', route, name: tail.slice(2), visitor };
    if (!mayAsk(visitor, req.method ?? '', tail, visit.upgrade)) return this.#tooLittle(req, visitor);
    const query = withoutParameter(path.query, 'token');
    return {
      kind: 'forward',
      route,
      form: visit.place.kind === 'host' ? 'host' : 'port',
      path: query === undefined ? path.path : `${path.path}?${query}`,
      tail,
      origin,
      visitor,
    };
  }

  /** Somebody who got a link that allows less (rule Z3). */
  #tooLittle(req: Request, { role }: Visitor, headers: Answer['headers'] = []): Decision {
    const message = `Your link to this session lets you ${role === 'read' ? 'read shared documents' : 'read and edit shared documents'}, and nothing else.`;
    return this.#problem(req, { code: 'forbidden', message, hint: 'Ask whoever gave it to you for one that allows more.', headers });
  }

  /** The one-time link (rules C1–C6). */
  #open({ req, path, route }: Visit, visitor: Visitor | undefined): Decision {
    if (req.method !== 'GET')
      return this.#problem(req, {
        code: 'request_invalid',
        status: 405,
        message: 'A one-time link is opened by GET.',
        headers: [['Allow', 'GET']],
      });
    const home = this.#parts.table.home(route.id)?.prefix ?? route.prefix;
    const next = inside(home, parameter(path.query, 'next') ?? '');
    const enter = (value: string): Decision => ({
      kind: 'answer',
      answer: bare(303, [
        ['Location', next],
        ['Set-Cookie', this.#parts.hosts.setCookie(value, home)],
      ]),
    });
    if (this.#parts.keys.spendCode(route.id, parameter(path.query, 'code') ?? '')) return enter(this.#parts.keys.cookie(route.id));
    const share = parameter(path.query, 'share') ?? '';
    const shared = this.#parts.keys.byCookie(route.id, share);
    // What somebody has already is not given up for less.
    if (shared?.until !== undefined && stronger(shared, visitor) === shared) return enter(share);
    if (visitor) return redirect(303, next);
    if (share !== '') {
      const message = 'This link to the session has ended, or is not complete.';
      return this.#problem(req, { code: 'link_spent', message, hint: 'Ask whoever gave it to you for a new one.' });
    }
    const message = 'A link of this kind opens a session once, within its time; this one has been used or has expired.';
    return this.#problem(req, { code: 'link_spent', message, ...this.#wayIn(route, 'Get a new link from the hub.') });
  }

  #bad(req: Request): Decision {
    return this.#problem(req, {
      code: 'request_invalid',
      message: 'The address of the request is not well formed.',
      hint: 'Check the address.',
    });
  }

  #nothing(req: Request, headers: Answer['headers'] = []): Decision {
    return this.#problem(req, { code: 'not_found', message: 'There is nothing at this address.', headers });
  }

  #refuse(req: Request, message: string, headers: Answer['headers'] = []): Decision {
    return this.#problem(req, { code: 'forbidden', message, headers });
  }

  #problem(req: Request, problem: Problem): Decision {
    return { kind: 'answer', answer: problemAnswer(problem, wantsPage(req.headers)) };
  }
}

/** Why a request that brings the cookie is not believed to come from the session's own page; undefined where it is (rules B3–B6). */
function foreign({ req, upgrade }: Visit, own: string): string | undefined {
  const { origin, 'sec-fetch-site': site } = req.headers;
  if (upgrade || !SAFE.has(req.method ?? '')) {
    if (origin !== own) return 'The request was sent from a page of another origin, or does not say from which.';
    if (site !== undefined && site !== 'same-origin') return 'The request was sent from a page of another site.';
    return undefined;
  }
  if (site === undefined || site === 'same-origin' || site === 'none') return undefined;
  return isNavigation(req) && req.headers['sec-fetch-dest'] === 'document'
    ? undefined
    : 'The request was sent from a page of another site.';
}

/** Node takes the first `Host` of several; another program on the way may have taken the last. */
function saysHostTwice(raw: readonly string[]): boolean {
  let count = 0;
  for (let index = 0; index < raw.length; index += 2) if (raw[index]?.length === 4 && raw[index]?.toLowerCase() === 'host') count++;
  return count > 1;
}

/** True when the browser will show what comes as a page or in a frame. */
function isNavigation({ method, headers }: Request): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false;
  return headers['sec-fetch-mode'] === 'navigate' || (headers['sec-fetch-mode'] === undefined && wantsPage(headers));
}

function isPreflight({ method, headers }: Request): boolean {
  return method === 'OPTIONS' && headers['access-control-request-method'] !== undefined;
}

function tokenOf({ headers }: Request, { query }: RequestPath): string | undefined {
  return bearer(headers.authorization) ?? parameter(query, 'token');
}

function bearer(header: string | undefined): string | undefined {
  return /^(?:token|bearer) +(\S{1,512})$/i.exec(header ?? '')?.[1];
}

/** Answered without a token: a browser never sends one with a preflight (rule T5). */
function preflight(headers: IncomingHttpHeaders): Decision {
  const asked = headers['access-control-request-headers'] ?? '';
  const allowed = /^[\w!#$%&'*+.^`|~, -]{0,2048}$/.test(asked) ? asked : '';
  const answer: [string, string][] = [
    ['Access-Control-Allow-Origin', '*'],
    ['Access-Control-Allow-Methods', 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'],
    ['Access-Control-Max-Age', '600'],
  ];
  if (allowed) answer.push(['Access-Control-Allow-Headers', allowed]);
  if (headers['access-control-request-private-network'] === 'true') answer.push(['Access-Control-Allow-Private-Network', 'true']);
  return { kind: 'answer', answer: bare(204, answer) };
}

function redirect(status: 302 | 303 | 307, location: string): Decision {
  return { kind: 'answer', answer: bare(status, [['Location', location]]) };
}
