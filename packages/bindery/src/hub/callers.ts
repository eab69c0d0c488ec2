import type { IncomingHttpHeaders } from 'node:http';
import { BinderyError } from '@bindery/wire/errors.ts';
import { readCookies } from '../proxy/cookies.ts';
import { derived, keyHash, newKey, sameSecret } from '../base/secrets.ts';

/** Name of the browser's cookie, after `__Host-` where https is spoken; the proxy keeps cookies of such names from sessions. */
const COOKIE = 'bindery-hub';
/** How long a one-time link waits to be opened, in milliseconds. */
const ENTER_MS = 3_600_000;
const MOST_ENTERS = 1000;
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/** The part of a request that tells who asks. */
export interface Asking {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
}

/** From where a request was sent: our own page or a program, a site that the operator allowed, or any other site. */
export type Site = 'own' | 'allowed' | 'foreign';

export interface Caller {
  /** `key`: a program that holds the hub key; `cookie`: a browser that was let in; `nobody`: neither. */
  readonly by: 'key' | 'cookie' | 'nobody';
  readonly site: Site;
}

export interface CallersOptions {
  readonly key: string;
  /** Origins of other sites that may call; `*` for any. */
  readonly allowOrigins: readonly string[];
  /** Address people reach the hub under, where it is fixed. */
  readonly publicUrl: string | undefined;
  readonly now: () => number;
}

/** Tells who asks: by the hub key, or by the cookie that a browser got for a one-time link. */
export class Callers {
  readonly #options: CallersOptions;
  readonly #allowed: ReadonlySet<string>;
  readonly #cookie: string;
  readonly #cookieName: string;
  readonly #enters = new Map<string, number>();

  constructor(options: CallersOptions) {
    this.#options = options;
    this.#allowed = new Set(options.allowOrigins);
    this.#cookieName = options.publicUrl?.startsWith('https:') === true ? `__Host-${COOKIE}` : COOKIE;
    this.#cookie = derived(options.key, 'browser cookie').toString('base64url');
  }

  identify(asking: Asking): Caller {
    const site = this.site(asking.headers);
    const given = /^(?:bearer|token) +(\S{1,512})$/i.exec(asking.headers.authorization ?? '')?.[1];
    if (given !== undefined) return { by: sameSecret(given, this.#options.key) ? 'key' : 'nobody', site };
    // A cookie is sent by the browser, whoever made it ask: what changes something must name our own page as its origin.
    const proven = SAFE.has(asking.method) || asking.headers.origin !== undefined;
    return { by: site === 'own' && proven && this.#holdsCookie(asking.headers.cookie) ? 'cookie' : 'nobody', site };
  }

  /** `Origin` decides where it is sent; else `Sec-Fetch-Site`, for which another port of this machine is another site too. */
  site(headers: IncomingHttpHeaders): Site {
    const { origin } = headers;
    const fetchSite = headers['sec-fetch-site'];
    if (origin !== undefined) {
      if (origin === this.origin(headers)) return fetchSite === undefined || fetchSite === 'same-origin' ? 'own' : 'foreign';
      return this.#allowed.has(origin) || this.#allowed.has('*') ? 'allowed' : 'foreign';
    }
    return fetchSite === undefined || fetchSite === 'same-origin' || fetchSite === 'none' ? 'own' : 'foreign';
  }

  /** Origin under which this request reached the hub; the proxy has checked its `Host`. */
  origin(headers: IncomingHttpHeaders): string {
    const { publicUrl } = this.#options;
    return publicUrl === undefined ? `http://${headers.host ?? 'localhost'}` : new URL(publicUrl).origin;
  }

  /** A code that lets one browser in, once. */
  issueEnter(): string {
    const now = this.#options.now();
    for (const [hash, until] of this.#enters) if (until < now || this.#enters.size >= MOST_ENTERS) this.#enters.delete(hash);
    const code = newKey();
    this.#enters.set(keyHash(code), now + ENTER_MS);
    return code;
  }

  /** The cookie for whoever brings a fresh code. @throws BinderyError link_spent */
  enter(code: string): string {
    const hash = keyHash(code);
    const until = this.#enters.get(hash) ?? 0;
    this.#enters.delete(hash);
    if (until < this.#options.now())
      throw new BinderyError('link_spent', 'This link has been used already, or is too old.', {
        hint: 'Ask for a new one: run bindery serve or bindery launch again.',
      });
    const secure = this.#cookieName === COOKIE ? '' : '; Secure';
    return `${this.#cookieName}=${this.#cookie}; Path=/; HttpOnly; SameSite=Strict${secure}`;
  }

  #holdsCookie(header: string | undefined): boolean {
    return header !== undefined && readCookies(header, this.#cookieName).some((value) => sameSecret(value, this.#cookie));
  }
}

/** `next` of a one-time link: a path of this hub, never another site. */
export function ownPath(next: string | undefined): string {
  if (next === undefined || !next.startsWith('/') || /^\/\/|[\p{Cc}\\]/u.test(next)) return '/';
  const url = URL.parse(next, 'http://own.invalid');
  if (url?.origin !== 'http://own.invalid') return '/';
  // Dot segments may have left two slashes at the front, which a browser reads as a host.
  return url.pathname.replace(/^\/+/, '/') + url.search + url.hash;
}
