import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import {
  ErrorBody,
  LAUNCH_KEY_HEADER,
  OneTimeLink,
  OpenSession,
  SessionList,
  SessionView,
  ShareLink,
  ShareSession,
} from '@bindery/wire/api.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import { SessionId } from '@bindery/wire/ids.ts';
import { header, type HubParts } from './parts.ts';

const Id = z.object({ id: z.string() });

/** The session's id for somebody who may use it; who may not does not learn whether it exists. */
export function ownSession({ rights, sessions }: HubParts, req: FastifyRequest, id: string): string {
  const key = header(req, LAUNCH_KEY_HEADER);
  rights.asker(req.caller);
  if (key === undefined) rights.operator(req.caller);
  if (!SessionId.safeParse(id).success) throw new BinderyError('session_not_found', 'There is no session of this id.');
  rights.holder(req.caller, key, (given) => sessions.opensWith(id, given));
  sessions.record(id);
  return id;
}

/** `/sessions` of the new contract. Everything about one session is also allowed to the holder of its launch's key. */
export function sessionApi(parts: HubParts): FastifyPluginCallbackZod {
  const { sessions, rights, shared } = parts;
  const mine = (req: FastifyRequest<{ Params: { id: string } }>): string => ownSession(parts, req, req.params.id);

  return (app, _, done) => {
    const one = { params: Id, response: { 200: SessionView, '4xx': ErrorBody } };
    app.get('/sessions', { schema: { response: { 200: SessionList, '4xx': ErrorBody } } }, async (req) => {
      rights.operator(req.caller);
      return { sessions: await sessions.list() };
    });

    app.get('/sessions/:id', { schema: one }, (req) => sessions.view(mine(req)));

    app.delete('/sessions/:id', { schema: one }, async (req) => {
      const id = mine(req);
      await sessions.stop(id, 'stopped');
      return sessions.view(id);
    });

    app.post('/sessions/:id/keep-alive', { schema: one }, (req) => {
      const id = mine(req);
      sessions.keepAlive(id);
      return sessions.view(id);
    });

    const open = { params: Id, body: OpenSession.nullish(), response: { 200: OneTimeLink, '4xx': ErrorBody } };
    app.post('/sessions/:id/open', { schema: open }, (req) => {
      const id = mine(req);
      return { url: sessions.browserUrl(id, req.body?.path, req.body?.form) };
    });

    const share = { params: Id, body: ShareSession.prefault({}), response: { 200: ShareLink, '4xx': ErrorBody } };
    app.post('/sessions/:id/share', { schema: share }, (req) => sessions.share(mine(req), req.body));

    app.get('/sessions/:id/log', { schema: { params: Id } }, (req, reply) => {
      const lines = shared.engine.launcher.logs(mine(req));
      return reply.type('text/plain; charset=utf-8').send(Readable.from(withNewlines(lines)));
    });

    app.get('/sessions/:id/saved', { schema: { params: Id } }, async (req, reply) => {
      const id = mine(req);
      const saved = await sessions.saved(id);
      return reply
        .type('application/gzip')
        .header('content-length', saved.bytes)
        .header('content-disposition', `attachment; filename="${id}.tar.gz"`)
        .send(createReadStream(saved.path));
    });
    done();
  };
}

async function* withNewlines(lines: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const line of lines) yield line.endsWith('\n') ? line : `${line}\n`;
}
