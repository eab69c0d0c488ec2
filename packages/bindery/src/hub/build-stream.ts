import type { FastifyReply, FastifyRequest } from 'fastify';
import { BinderyError } from '@bindery/wire/errors.ts';
import { isFinal } from '@bindery/wire/events.ts';
import type { Link } from '@bindery/wire/link.ts';
import { parseV2 } from '@bindery/wire/link-v2.ts';
import { EventResponse, follow } from './event-stream.ts';
import { rateHeaders } from './launch-api.ts';
import type { Launch } from './launch.ts';
import { launchEnvironment, persistentAddress } from './launch-environment.ts';
import { OldEvents, type OldEvent, type OldReady } from './old-events.ts';
import type { HubParts } from './parts.ts';
import { Reconnects } from './reconnects.ts';

/** How long a launch may look as if nothing had to be built before its first events are shown after all, in milliseconds. */
const HOLD_MS = 2000;

export interface BuildStreamOptions {
  /** How long a stream stays open after its last event, so that clients close it themselves, in milliseconds. */
  readonly lingerMs: number;
}

/** `GET /build/{provider}/{spec}`: the event stream of the old contract, as thebe and its like use it. */
export class BuildStream {
  readonly #parts: HubParts;
  readonly #options: BuildStreamOptions;
  readonly #reconnects: Reconnects;

  constructor(parts: HubParts, options: BuildStreamOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#reconnects = new Reconnects(() => parts.shared.clock.monotonic());
  }

  /** Answers a request. Whatever is wrong is said in the stream, with HTTP status 200: that is the old contract. */
  async answer(req: FastifyRequest, reply: FastifyReply): Promise<void> {
    const client = clientOf(req);
    let asked: Asked;
    let launch: Launch | undefined;
    try {
      asked = this.#read(req);
      launch = this.#reconnects.resume(client);
      if (!launch && isEventSource(req) && this.#reconnects.comesBack(client)) {
        // The one status by which a browser's EventSource stops asking.
        await reply.code(204).send();
        return;
      }
      launch ??= await this.#launch(req, reply, asked);
    } catch (error) {
      if (!(error instanceof BinderyError)) throw error;
      this.#refuse(reply, error);
      return;
    }
    await this.#stream(req, reply, { ...asked, launch, client });
  }

  #read(req: FastifyRequest): Asked {
    const { rights, shared } = this.#parts;
    const accept = (req.headers.accept ?? '').toLowerCase();
    if (!accept.includes('text/event-stream')) throw new BinderyError('request_invalid', 'Missing Accept header: text/event-stream');
    rights.asker(req.caller);
    const [path = '', query = ''] = (req.raw.url ?? '').split(/\?(.*)/s);
    const [, provider = '', spec = ''] = /^\/build\/([^/]+)\/(.+)$/.exec(path) ?? [];
    if (!shared.providers.has(provider)) throw new Untold(`No provider found for prefix ${provider.slice(0, 64)}`);
    const buildOnly = new URLSearchParams(query).get('build_only')?.toLowerCase() === 'true';
    const raw = spec.replace(/\/+$/, '');
    try {
      return { link: parseV2(`/v2/${provider}/${raw}`), key: `${provider}:${raw}`, request: `v2/${provider}/${raw}`, buildOnly };
    } catch (error) {
      throw error instanceof BinderyError ? new Untold(`${error.message} ${error.hint}`) : error;
    }
  }

  async #launch(req: FastifyRequest, reply: FastifyReply, { link, buildOnly }: Asked): Promise<Launch> {
    const { rights, launches } = this.#parts;
    const rate = rights.launcher(req.caller, req.ip);
    if (rate) void reply.headers(rateHeaders(rate));
    const options = rights.options(req.caller, link, buildOnly ? { buildOnly } : {});
    const { launch } = await launches.create({ link, options, env: launchEnvironment(link, this.#launchHost(req)) });
    return launch;
  }

  async #stream(req: FastifyRequest, reply: FastifyReply, order: Asked & { launch: Launch; client: string }): Promise<void> {
    const { launch, client } = order;
    const response = open(reply);
    const events = new OldEvents({
      key: order.key,
      buildOnly: order.buildOnly,
      ready: ({ sessionId = '' }) => this.#ready(req, order, sessionId),
    });
    const tooLong = setTimeout(() => void response.write(frames(events.release())), HOLD_MS);
    let told = false;
    for await (const batch of follow(launch.log, -1, response.gone)) {
      const last = batch.at(-1);
      if (batch.some(({ phase }) => phase === 'building' || phase === 'launching')) clearTimeout(tooLong);
      await response.write(frames(batch.flatMap((entry) => events.take(entry))));
      told = last !== undefined && isFinal(last) && !response.gone.aborted;
    }
    clearTimeout(tooLong);
    if (!told) {
      this.#reconnects.cut(client, launch);
      return;
    }
    await response.linger(this.#options.lingerMs);
    if (!response.gone.aborted) this.#reconnects.ended(client);
    response.end();
  }

  #ready(req: FastifyRequest, { launch, request }: Asked & { launch: Launch }, sessionId: string): OldReady {
    const { sessions, callers } = this.#parts;
    const resolved = launch.log.events.find((entry) => entry.phase === 'resolving' && entry.source !== undefined);
    const ref = resolved?.phase === 'resolving' ? resolved.source?.ref : undefined;
    return {
      url: `${callers.origin(req.headers)}/s/${sessionId}/`,
      token: sessions.token(sessionId) ?? '',
      launchHost: this.#launchHost(req),
      request,
      persistentRequest: ref === undefined ? request : persistentAddress(launch.link, ref),
      clientIp: req.ip,
    };
  }

  #launchHost(req: FastifyRequest): string {
    return `${this.#parts.callers.origin(req.headers)}/`;
  }

  /** One event and the end, as the old servers did before anything was launched. */
  #refuse(reply: FastifyReply, error: BinderyError): void {
    const message = `${error.message}\n`;
    const status = error instanceof Untold ? {} : { status_code: error.status === 401 ? 403 : error.status };
    const response = open(reply);
    void response.write(frames([{ phase: 'failed', ...status, message }]));
    response.end();
  }
}

/** What a request asks for. */
interface Asked {
  readonly link: Link;
  /** `gh:user/repo/ref`, as it was written. */
  readonly key: string;
  readonly request: string;
  readonly buildOnly: boolean;
}

/** A refusal that the old servers sent without a status code. */
class Untold extends BinderyError {
  constructor(message: string) {
    super('link_invalid', message);
  }
}

function open(reply: FastifyReply): EventResponse {
  reply.hijack();
  return new EventResponse(reply.raw, 'text/event-stream', reply.getHeaders() as Record<string, string>);
}

function frames(events: readonly OldEvent[]): string {
  return events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('');
}

/** What a client's requests have in common when it asks again by itself. */
function clientOf(req: FastifyRequest): string {
  const { origin = '', 'user-agent': agent = '' } = req.headers;
  return [req.caller.by, req.ip, origin, agent, req.raw.url ?? ''].join(' ').slice(0, 8192);
}

/**
 * A browser's own EventSource, the one client that asks again by itself: it never takes an answer from a cache, and browsers say
 * of every request where it comes from. Clients built on fetch do without the first, programs without the second.
 */
function isEventSource({ headers }: FastifyRequest): boolean {
  return headers['sec-fetch-site'] !== undefined && (headers['cache-control'] ?? '').includes('no-cache');
}
