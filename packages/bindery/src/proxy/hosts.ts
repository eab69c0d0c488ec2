/**
 * Which listener a request came through: the hub's own, the one on a second port that serves sessions, or that of a proxy which stands alone before
 * one server, without a hub.
 */
export type Door = 'hub' | 'sessions' | 'alone';

/** Under which names the hub and its sessions are reached. */
export interface HostNames {
  /** Names of the hub without ports: `localhost`, `127.0.0.1`, `[::1]`. */
  readonly hub: readonly string[];
  /** What follows a session's id in its own host name: `.localhost`, `.example.org`. */
  readonly sessionSuffix: string;
  /** True when browsers reach the hub by https: cookies get the `__Host-` prefix. */
  readonly secure: boolean;
}

/** What a request's `Host` stands for. `origin` is what the browser calls it. */
export type Place =
  | { readonly kind: 'hub' }
  | { readonly kind: 'host'; readonly id: string; readonly origin: string }
  | { readonly kind: 'port' | 'alone'; readonly origin: string };

const MOST_PLACES = 4096;

/** The names of one hub, and the cookie that goes with them. */
export class Hosts {
  readonly scheme: 'http' | 'https';
  readonly suffix: string;
  readonly cookieName: string;
  readonly #names: ReadonlySet<string>;
  readonly secure: boolean;
  /** Hosts that were asked for, as they were written. */
  readonly #places = { hub: new Map<string, Place>(), sessions: new Map<string, Place>(), alone: new Map<string, Place>() };

  constructor({ hub, sessionSuffix, secure }: HostNames) {
    this.scheme = secure ? 'https' : 'http';
    this.suffix = sessionSuffix.toLowerCase();
    this.cookieName = secure ? '__Host-bindery-session' : 'bindery-session';
    this.#names = new Set(hub.map((name) => name.toLowerCase()));
    this.secure = secure;
  }

  /** What `Host` stands for, or undefined where this hub does not serve it. */
  place(header: string | undefined, door: Door): Place | undefined {
    const known = this.#places[door].get(header ?? '');
    if (known) return known;
    const place = placeOf(this, header ?? '', door);
    if (this.#places[door].size >= MOST_PLACES) this.#places[door].clear();
    if (place) this.#places[door].set(header ?? '', place);
    return place;
  }

  isHub(name: string): boolean {
    return this.#names.has(name);
  }

  /** The cookie of a session. With https it is bound to the host by its name, which asks for the path `/`. */
  setCookie(value: string, path: string): string {
    return this.secure
      ? `${this.cookieName}=${value}; Path=/; Secure; HttpOnly; SameSite=Lax`
      : `${this.cookieName}=${value}; Path=${path}; HttpOnly; SameSite=Lax`;
  }
}

const HOST = /^([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])(?::\d{1,5})?$/;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** What `Host` stands for, or undefined where this hub does not serve it (rules H1–H4). */
function placeOf(hosts: Hosts, header: string, door: Door): Place | undefined {
  const host = header.toLowerCase();
  const name = HOST.exec(host)?.[1];
  if (name === undefined) return undefined;
  if (door === 'alone') return hosts.isHub(name) ? { kind: 'alone', origin: `${hosts.scheme}://${host}` } : undefined;
  if (door === 'sessions') return hosts.isHub(name) && !hosts.secure ? { kind: 'port', origin: `${hosts.scheme}://${host}` } : undefined;
  if (hosts.isHub(name)) return { kind: 'hub' };
  if (hosts.suffix === '' || !name.endsWith(hosts.suffix)) return undefined;
  const id = name.slice(0, -hosts.suffix.length);
  return LABEL.test(id) ? { kind: 'host', id, origin: `${hosts.scheme}://${host}` } : undefined;
}
