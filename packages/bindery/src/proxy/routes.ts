import { isAbsolute } from 'node:path';
import { BinderyError } from '@bindery/wire/errors.ts';
import { decodeSegment } from './path.ts';

/** Where a route leads: a UNIX socket, or a host and port, in the clear or by TLS. */
export type Target = { readonly socketPath: string } | { readonly host: string; readonly port: number; readonly tls?: boolean };

export interface Route {
  /** The session this route belongs to; a session may have several routes. */
  readonly id: string;
  /** `/s/<id>/` or longer; begins and ends with a slash. `/` takes all that no other does. */
  readonly prefix: string;
  readonly target: Target;
  /** What the session's own server wants to see in `Authorization`, e.g. `token abc`. */
  readonly authorization?: string | undefined;
  /** The name, with its port, that the server goes by; `localhost` where nothing is said (rule R5). */
  readonly host?: string | undefined;
  /** Who answers a part of what is below the prefix in the session's place. */
  readonly beside?: Beside | undefined;
  /** Whatever the caller wants to find again in `routes()`. */
  readonly data?: Readonly<Record<string, unknown>> | undefined;
}

/** Another server that answers some requests of a session. Until it is there, those wait for it. */
export interface Beside {
  /** @param tail what follows the route's prefix; `query` comes without its question mark */
  readonly takes: (method: string, tail: string, query: string) => boolean;
  /**
   * Asked when the first request is there: `target` and `authorization` as a route has them; undefined where it can't be had, when the session's own
   * server answers.
   */
  readonly ready: () => Promise<Pick<Route, 'target' | 'authorization'> | undefined>;
}

/** What the table says about a path. `hidden`: an escaped slash stands where a route's name would be (rule P4). */
export type Match = { readonly route: Route; readonly depth: number } | 'hidden' | undefined;

interface Branch {
  route?: Route;
  readonly children: Map<string, Branch>;
}

/** Longest prefix on whole segments. Maps throughout, so that `constructor` is a name like any other. */
export class RouteTable {
  readonly #root: Branch = { children: new Map() };
  readonly #byId = new Map<string, Map<string, Route>>();

  /** Adds a route and returns the one it replaces.
   * @throws BinderyError request_invalid for a prefix or a target that can't work, or a prefix of another session */
  add(route: Route): Route | undefined {
    check(route);
    let branch = this.#root;
    for (const name of namesOf(route.prefix)) {
      let child = branch.children.get(name);
      if (!child) branch.children.set(name, (child = { children: new Map() }));
      branch = child;
    }
    if (branch.route && branch.route.id !== route.id)
      throw new BinderyError('request_invalid', `${route.prefix} already belongs to session ${branch.route.id}.`);
    const old = branch.route;
    branch.route = route;
    const own = this.#byId.get(route.id) ?? new Map<string, Route>();
    this.#byId.set(route.id, own.set(route.prefix, route));
    return old;
  }

  /** Removes every route of a session and returns them. */
  remove(id: string): Route[] {
    const routes = [...(this.#byId.get(id)?.values() ?? [])];
    this.#byId.delete(id);
    for (const route of routes) prune(this.#root, namesOf(route.prefix), 0);
    return routes;
  }

  find(segments: readonly string[]): Match {
    let branch = this.#root;
    let best: Exclude<Match, 'hidden'> = branch.route && { route: branch.route, depth: 0 };
    for (let depth = 0; depth < segments.length; depth++) {
      if (branch.children.size === 0) break;
      const name = decodeSegment(segments[depth] ?? '');
      if (name === undefined) return 'hidden';
      const child = branch.children.get(name);
      if (!child) break;
      branch = child;
      if (branch.route) best = { route: branch.route, depth: depth + 1 };
    }
    return best;
  }

  /** The session's shortest route: its home. */
  home(id: string): Route | undefined {
    const routes = [...(this.#byId.get(id)?.values() ?? [])];
    return routes.toSorted((a, b) => a.prefix.length - b.prefix.length)[0];
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  list(): Route[] {
    return [...this.#byId.values()].flatMap((routes) => [...routes.values()]);
  }
}

function namesOf(prefix: string): string[] {
  return prefix.split('/').slice(1, -1).map(decodeURIComponent);
}

/** Removes the route at the end of `names`, and branches that lead nowhere any more. True when the branch itself may go. */
function prune(branch: Branch, names: readonly string[], depth: number): boolean {
  const name = names[depth];
  if (name === undefined) delete branch.route;
  else {
    const child = branch.children.get(name);
    if (child && prune(child, names, depth + 1)) branch.children.delete(name);
  }
  return !branch.route && branch.children.size === 0;
}

function check({ id, prefix, target }: Route): void {
  if (!/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(id)) throw new BinderyError('request_invalid', `${id} is no session id.`);
  if (!/^\/(?:[\w.~!$&'()*+,;=:@-]+\/)*$/.test(prefix) || /\/\.{1,2}\//.test(prefix))
    throw new BinderyError('request_invalid', `${prefix} is no route: it begins and ends with a slash and has no empty or dot segments.`);
  const fits =
    'socketPath' in target
      ? isAbsolute(target.socketPath) && Buffer.byteLength(target.socketPath) < 108
      : /^[\w.:-]+$/.test(target.host) && Number.isInteger(target.port) && target.port > 0 && target.port < 65_536;
  if (!fits) throw new BinderyError('request_invalid', `The target of ${prefix} is neither an absolute socket path nor a host and port.`);
}
