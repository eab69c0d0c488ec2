import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  CreateLaunch,
  ErrorBody,
  EventsQuery,
  IDEMPOTENCY_HEADER,
  LAUNCH_KEY_HEADER,
  LaunchView,
  type LaunchOptions,
} from '@bindery/wire/api.ts';
import { readLink } from '../link/link.ts';
import { EventResponse, follow } from './event-stream.ts';
import type { Launch } from './launch.ts';
import { launchEnvironment } from './launch-environment.ts';
import { header, type HubParts } from './parts.ts';
import { ownSession } from './session-api.ts';
import { forHolder } from './presenter.ts';

const Id = z.object({ id: z.string() });

/** `/launches` of the new contract. */
export function launchApi(parts: HubParts): FastifyPluginCallbackZod {
  const { launches, rights, callers, shared } = parts;

  const holds = (req: FastifyRequest, launch: Launch): boolean =>
    rights.holds(req.caller, header(req, LAUNCH_KEY_HEADER), (key) => launch.opensWith(key));

  /** A launch for somebody who may read it: its holder, and on a hub for everybody whoever knows its id. */
  const readable = async (req: FastifyRequest<{ Params: { id: string } }>): Promise<Launch> => {
    rights.asker(req.caller);
    if (!rights.open && header(req, LAUNCH_KEY_HEADER) === undefined) rights.operator(req.caller);
    const launch = await launches.get(req.params.id);
    if (!rights.open) rights.holder(req.caller, header(req, LAUNCH_KEY_HEADER), (key) => launch.opensWith(key));
    return launch;
  };

  return (app, _, done) => {
    app.post('/launches', { schema: { body: CreateLaunch, response: { 201: LaunchView, '4xx': ErrorBody } } }, async (req, reply) => {
      const rate = rights.launcher(req.caller, req.ip);
      if (rate) void reply.headers(rateHeaders(rate));
      const asked = await withSaved(parts, req, req.body.options ?? {});
      const link = readLink(req.body.link, asked, { githubHosts: githubHosts(parts) });
      const options = rights.options(req.caller, link, asked);
      const given = header(req, IDEMPOTENCY_HEADER)?.slice(0, 128);
      const once = given === undefined ? undefined : `${req.caller.by} ${req.ip} ${given}`;
      const env = launchEnvironment(link, `${callers.origin(req.headers)}/`);
      const { launch, key } = await launches.create({ link, options, env, once });
      shared.log.info({ launch: launch.id, provider: link.provider }, 'launch');
      return reply
        .code(201)
        .header('location', `/api/v1/launches/${launch.id}`)
        .send({ ...launch.view(), key });
    });

    app.get('/launches/:id', { schema: { params: Id, response: { 200: LaunchView, '4xx': ErrorBody } } }, async (req) => {
      const launch = await readable(req);
      const view = launch.view();
      if (!view.last || !holds(req, launch)) return view;
      return { ...view, last: forHolder(view.last, parts.sessions, callers.origin(req.headers)) };
    });

    app.get('/launches/:id/events', { schema: { params: Id, querystring: EventsQuery } }, async (req, reply) => {
      const launch = await readable(req);
      const after = req.query.after ?? lastEventId(req) ?? -1;
      const { final } = launch.log;
      // A browser that asks again after the last entry is told to stop asking.
      if (final && after >= final.seq) return reply.code(204).send();
      const origin = holds(req, launch) ? callers.origin(req.headers) : undefined;
      await stream(parts, launch, { req, reply, after, origin });
      return reply;
    });

    app.delete('/launches/:id', { schema: { params: Id, response: { 200: LaunchView, '4xx': ErrorBody } } }, async (req) => {
      rights.asker(req.caller);
      if (header(req, LAUNCH_KEY_HEADER) === undefined) rights.operator(req.caller);
      const launch = await launches.get(req.params.id);
      rights.holder(req.caller, header(req, LAUNCH_KEY_HEADER), (key) => launch.opensWith(key));
      await launches.cancel(launch);
      return launch.view();
    });
    done();
  };
}

/** Saved work is restored by who holds its session, while it is kept, into an environment chosen as its own was. */
async function withSaved(parts: HubParts, req: FastifyRequest, asked: LaunchOptions): Promise<LaunchOptions> {
  if (asked.restore === undefined) return asked;
  const id = ownSession(parts, req, asked.restore);
  await parts.sessions.saved(id);
  return { ...parts.sessions.record(id).options, ...asked };
}

/** Hosts whose pages are `gh` links. */
export function githubHosts({ shared }: HubParts): string[] {
  return ['github.com', new URL(shared.config.github.url).host];
}

export function rateHeaders(state: { limit: number; remaining: number; resetSeconds: number }): Record<string, string> {
  return {
    'x-ratelimit-limit': String(state.limit),
    'x-ratelimit-remaining': String(state.remaining),
    'x-ratelimit-reset': String(state.resetSeconds),
  };
}

function lastEventId(req: FastifyRequest): number | undefined {
  const text = header(req, 'last-event-id') ?? '';
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

interface StreamOrder {
  readonly req: FastifyRequest;
  readonly reply: FastifyReply;
  readonly after: number;
  /** The hub's address, for a holder; others see no secrets. */
  readonly origin: string | undefined;
}

/** Entries as server-sent events with their `seq` as id, or as NDJSON where that is asked for. */
async function stream(parts: HubParts, launch: Launch, { req, reply, after, origin }: StreamOrder): Promise<void> {
  const lines = (req.headers.accept ?? '').includes('application/x-ndjson');
  reply.hijack();
  const headers = reply.getHeaders() as Record<string, string>;
  const response = new EventResponse(reply.raw, lines ? 'application/x-ndjson' : 'text/event-stream', headers);
  for await (const batch of follow(launch.log, after, response.gone)) {
    const text = batch.map((entry) => {
      const json = JSON.stringify(origin === undefined ? entry : forHolder(entry, parts.sessions, origin));
      return lines ? `${json}\n` : `id: ${entry.seq}\ndata: ${json}\n\n`;
    });
    await response.write(text.join(''));
  }
  response.end();
}
