import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { Access, type Decision, type Explanation, type Form } from './access.ts';
import { Activity, type ActivityView } from './activity.ts';
import { cutAfter, problemAnswer, send, sendRaw, wantsPage, type Answer } from './answers.ts';
import { Exchange, type ExchangeOwner } from './forward.ts';
import { Hosts, type Door, type HostNames } from './hosts.ts';
import { askKernels } from './kernels.ts';
import { Keys } from './keys.ts';
import { inside } from './path.ts';
import { Pools } from './pools.ts';
import { RouteTable, type Route, type Target } from './routes.ts';
import { splice } from './splice.ts';
import type { Visitor } from './visitors.ts';
import { PATIENCE, Traffic, type Patience } from './traffic.ts';

export interface ProxyOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly hosts: HostNames;
  /** What is known about a session that has no route. */
  readonly explain: (id: string) => Explanation | undefined;
  /** The hub's page for a session, or its start page: an absolute address. It also says the hub's port. */
  readonly hubUrl: (id?: string) => string;
  /** What to do for who may not enter, where there is no hub that helps. */
  readonly wayIn?: string | undefined;
  /** Base address of the listener on a second port, where there is one: `http://localhost:8586`. */
  readonly portUrl?: (() => string | undefined) | undefined;
  /** Answers `/s/<id>/-/<name>` for whoever is inside the session. False: there is nothing under that name. */
  readonly pages?: ((id: string, name: string, visitor: Visitor, req: IncomingMessage, res: ServerResponse) => boolean) | undefined;
  /** Told when a session's activity moves on, at most every half minute for each. */
  readonly onActivity?: ((id: string, activeAt: number) => void) | undefined;
  /** 32 bytes, kept over restarts so that browsers stay inside; random by default. */
  readonly secret?: Buffer | undefined;
  readonly patience?: Partial<Patience> | undefined;
  /** How long a session may take to agree to an upgrade, in milliseconds. */
  readonly upgradeMs?: number | undefined;
}

type Forward = Extract<Decision, { kind: 'forward' }>;

const UPGRADE_MS = 30_000;
/** Of one timer: 24 days. A link that lasts longer ends its connections after that; they come again. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** How long a client may go on sending a body that nobody reads any more (rule L4). */
const LINGER_MS = 10_000;

/** Routes requests to sessions, and lets in only those who may. It owns no listener: see listener.ts. Rules: SPEC.md. */
export class Proxy {
  readonly #options: ProxyOptions;
  readonly #hosts: Hosts;
  readonly #table = new RouteTable();
  readonly #keys: Keys;
  readonly #pools = new Pools();
  readonly #access: Access;
  readonly #activity: Activity;
  readonly #traffic: Traffic;
  readonly #owner: ExchangeOwner;
  /** Of sessions for which another server answers a part, where that is. */
  readonly #besides = new Map<string, Target>();
  #closing = false;

  constructor(options: ProxyOptions) {
    this.#options = options;
    this.#hosts = new Hosts(options.hosts);
    this.#keys = new Keys(options.clock, options.secret);
    this.#activity = new Activity(options.clock, options.onActivity);
    this.#traffic = new Traffic(options.clock, { ...PATIENCE, ...options.patience });
    this.#owner = {
      onFault: ({ order }, error) => options.log.debug({ sessionId: order.route.id, err: error }, 'A session did not answer a request.'),
      onEnd: (exchange) => this.#ended(exchange),
    };
    this.#access = new Access({
      hosts: this.#hosts,
      table: this.#table,
      keys: this.#keys,
      explain: options.explain,
      hubUrl: options.hubUrl,
      wayIn: options.wayIn,
      browserUrl: (id, next, share) => (share === undefined ? this.browserUrl(id, next) : this.#openUrl(id, next, 'host', { share })),
    });
  }

  /** Adds or replaces the route of its prefix. `activeAt` (milliseconds since the epoch) restores what was known before a restart.
   * @throws BinderyError request_invalid for a prefix or target that can't work */
  addRoute(route: Route, activeAt?: number): void {
    const old = this.#table.add(route);
    this.#pools.hold(route.target);
    if (old) this.#pools.release(old.target);
    this.#activity.add(route.id, activeAt);
  }

  /** Removes every route of a session, its keys, and cuts what is still under way. */
  removeRoute(id: string): void {
    const routes = this.#table.remove(id);
    this.#traffic.cut(id);
    for (const { target } of routes) this.#pools.release(target);
    const beside = this.#besides.get(id);
    if (beside && this.#besides.delete(id)) this.#pools.release(beside);
    this.#keys.forget(id);
    this.#activity.remove(id);
  }

  routes(): Route[] {
    return this.#table.list();
  }

  /** A fresh token for programs; it opens this session until its route goes. */
  mintToken(id: string): string {
    return this.#keys.mint(id);
  }

  /** Takes a token back after a restart, by its sha256 in hex. */
  adoptToken(id: string, sha256: string): void {
    this.#keys.adopt(id, sha256);
  }

  /** A code that opens the session in a browser once, within a minute, or so many milliseconds. */
  issueCode(id: string, lifeMs?: number): string {
    return this.#keys.issueCode(id, lifeMs);
  }

  /** An address of a session: `host` and `port` are one-time links for browsers, `path` is for programs with a token. `next` is relative to the session's base path. */
  browserUrl(id: string, next: string, form: Form = 'host', lifeMs?: number): string {
    if (form === 'path') return new URL(inside(this.#home(id), next), this.#options.hubUrl()).href;
    return this.#openUrl(id, next, form, { code: this.issueCode(id, lifeMs) });
  }

  /** A link that lets a browser in as somebody who may only so much, as often as it is opened until its end (rule Z1). */
  shareUrl(id: string, next: string, visitor: Visitor & { readonly until: number }, form: 'host' | 'port' = 'host'): string {
    return this.#openUrl(id, next, form, { share: this.#keys.share(id, visitor) });
  }

  #home(id: string): string {
    return this.#table.home(id)?.prefix ?? `/s/${id}/`;
  }

  #openUrl(id: string, next: string, form: 'host' | 'port', opener: Readonly<Record<string, string>>): string {
    const home = this.#home(id);
    const hub = new URL(this.#options.hubUrl());
    const own = `${this.#hosts.scheme}://${id}${this.#hosts.suffix}${hub.port && `:${hub.port}`}`;
    // Where sessions have no hosts of their own there is no other.
    const origin = form === 'port' || this.#hosts.suffix === '' ? (this.#options.portUrl?.() ?? own) : own;
    const url = new URL(`${home}-/open`, origin);
    for (const [name, value] of Object.entries(opener)) url.searchParams.set(name, value);
    const path = inside(home, next).slice(home.length);
    if (path) url.searchParams.set('next', path);
    return url.href;
  }

  activity(id: string): ActivityView | undefined {
    return this.#activity.view(id);
  }

  /** Counts as activity, now: the user said so. */
  touch(id: string): void {
    this.#activity.touch(id);
  }

  /** Asks the session's server how many kernels are busy, also those no browser is connected to. Undefined where it does not answer. */
  async busyKernels(id: string): Promise<number | undefined> {
    const route = this.#table.home(id);
    const pool = route && this.#pools.get(route.target);
    const busy = pool && (await askKernels(pool, route));
    if (busy) this.#activity.correct(id, busy);
    return busy?.size;
  }

  /** Answers a request that is a session's, or that nobody may make. False: it is the hub's own, and nothing has been read of it. */
  handle(req: IncomingMessage, res: ServerResponse, door: Door = 'hub'): boolean {
    const decision = this.#access.decide(req, door, false);
    if (decision.kind === 'pass') return false;
    if (decision.kind === 'answer') this.#refuse(req, res, decision.answer);
    else if (this.#closing) this.#refuse(req, res, leaving(req));
    else if (decision.kind === 'forward') this.#toServer(req, decision, (server, visitor) => this.#forward(req, res, server, visitor));
    else if (!this.#options.pages?.(decision.route.id, decision.name, decision.visitor, req, res)) this.nothing(req, res);
    return true;
  }

  /** The same for a request to become a WebSocket. */
  upgrade(req: IncomingMessage, socket: Socket, head: Buffer, door: Door = 'hub'): boolean {
    const decision = this.#access.decide(req, door, true);
    if (decision.kind === 'pass') return false;
    socket.on('error', () => socket.destroy());
    if (decision.kind === 'answer') sendRaw(socket, decision.answer);
    else if (this.#closing) sendRaw(socket, leaving(req));
    else if (decision.kind === 'inside')
      sendRaw(socket, problemAnswer({ code: 'not_found', message: 'There is nothing at this address.' }, false));
    else this.#toServer(req, decision, (server, visitor) => this.#splice(req, socket, head, server, visitor));
    return true;
  }

  /** Answers 404. */
  nothing(req: IncomingMessage, res: ServerResponse): void {
    this.#refuse(req, res, problemAnswer({ code: 'not_found', message: 'There is nothing at this address.' }, wantsPage(req.headers)));
  }

  /** Takes no more requests, lets those under way end for so long, then cuts the rest. WebSockets end at once. */
  async close({ graceMs }: { graceMs: number }): Promise<void> {
    this.#closing = true;
    const until = this.#options.clock.monotonic() + graceMs;
    while (this.#traffic.size > 0 && this.#options.clock.monotonic() < until) await new Promise((resolve) => setTimeout(resolve, 20));
    this.#traffic.close();
    await this.#pools.close();
  }

  /** Finds out which server answers: that of the session, or the one beside it (rule G1). */
  #toServer({ method = '' }: IncomingMessage, decision: Forward, send: (decision: Forward, visitor?: Visitor) => void): void {
    const { route, tail, path } = decision;
    if (!route.beside?.takes(method, tail, path.slice(path.indexOf('?') + 1 || path.length))) send(decision);
    else
      void route.beside.ready().then((there) => {
        if (!there) return send(decision);
        this.#hold(route.id, there.target);
        send({ ...decision, route: { ...route, ...there } }, decision.visitor);
      });
  }

  #hold(id: string, target: Target): void {
    if (this.#besides.has(id) || !this.#table.has(id)) return;
    this.#besides.set(id, target);
    this.#pools.hold(target);
  }

  #forward(req: IncomingMessage, res: ServerResponse, decision: Forward, visitor?: Visitor): void {
    const { route, form, path, tail } = decision;
    const pool = this.#pools.get(route.target);
    if (!pool || !this.#traffic.hasRoom(route.id)) return this.#refuse(req, res, crowded());
    this.#activity.request(route.id, req.method ?? '', tail, req.headers['sec-fetch-mode'] === 'navigate');
    if (req.headers.expect !== undefined) res.writeContinue();
    const exchange = new Exchange(req, res, { route, form, path, visitor, scheme: this.#hosts.scheme, owner: this.#owner });
    this.#traffic.add(exchange);
    exchange.start(pool);
  }

  #ended(exchange: Exchange): void {
    this.#traffic.remove(exchange);
    letGo(exchange.req);
  }

  #splice(req: IncomingMessage, socket: Socket, head: Buffer, decision: Forward, visitor?: Visitor): void {
    const { route, form, path, tail } = decision;
    if (!this.#traffic.hasRoom(route.id)) return sendRaw(socket, crowded());
    const connection = this.#activity.connection(route.id, tail);
    const end = splice(req, socket, head, {
      route,
      form,
      path,
      visitor,
      scheme: this.#hosts.scheme,
      answerMs: this.#options.upgradeMs ?? UPGRADE_MS,
      plain: connection.plain,
      onOpen: (protocol) => connection.open(protocol),
      onClose: () => {
        clearTimeout(ending);
        leave();
        connection.close();
      },
    });
    const leave = this.#traffic.join(route.id, end);
    const { until } = decision.visitor;
    const ending = until === undefined ? undefined : setTimeout(end, Math.min(until - this.#options.clock.now(), LONGEST_TIMER_MS)).unref();
  }

  #refuse(req: IncomingMessage, res: ServerResponse, answer: Answer): void {
    send(res, answer);
    letGo(req);
  }
}

function crowded(): Answer {
  return problemAnswer({ code: 'rate_limited', message: 'This session has too many requests and connections under way.' }, false);
}

/** Throws away what is left of a body, for a while. */
function letGo(req: IncomingMessage): void {
  if (req.complete || req.destroyed) return;
  cutAfter(req, LINGER_MS);
  req.resume();
}

function leaving(req: IncomingMessage): Answer {
  const headers: Answer['headers'] = [
    ['Retry-After', '2'],
    ['Connection', 'close'],
  ];
  return problemAnswer({ code: 'hub_leaving', message: 'The hub is being restarted.', headers }, wantsPage(req.headers));
}

/** See Proxy. */
export function createProxy(options: ProxyOptions): Proxy {
  return new Proxy(options);
}
