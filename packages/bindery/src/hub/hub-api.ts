import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import {
  CollectGarbage,
  Collected,
  Enter,
  EnvironmentList,
  ErrorBody,
  ExampleList,
  Info,
  OneTimeLink,
  PlanQuery,
  PlanView,
  ProviderList,
  Shutdown,
} from '@bindery/wire/api.ts';
import { ownPath } from './callers.ts';
import type { HubParts } from './parts.ts';
import { repoProviders } from './repo-providers.ts';

/** What the new contract tells of the hub itself, and what its operator may have it do. */
export function hubApi(parts: HubParts): FastifyPluginCallbackZod {
  const { rights, callers, sessions, admission, shared } = parts;
  return (app, _, done) => {
    app.get('/info', { schema: { response: { 200: Info } } }, (req) => ({
      version: parts.version,
      startedAt: parts.startedAt,
      engine: shared.engine.id,
      isolated: shared.engine.isolated,
      authorized: req.caller.by !== 'nobody',
      open: rights.open,
      sessions: { running: sessions.count, maximum: shared.config.session.maximum },
      launches: { running: admission.running, waiting: admission.waiting },
    }));

    app.get('/providers', { schema: { response: { 200: ProviderList } } }, () => ({ providers: repoProviders(shared.providers) }));

    app.get('/examples', { schema: { response: { 200: ExampleList } } }, () => ({ examples: [...parts.examples] }));

    app.get('/plan', { schema: { querystring: PlanQuery, response: { 200: PlanView, '4xx': ErrorBody } } }, (req, reply) => {
      rights.operator(req.caller);
      const gone = new AbortController();
      reply.raw.on('close', () => gone.abort());
      return parts.plan(req.query, gone.signal);
    });

    app.get('/environments', { schema: { response: { 200: EnvironmentList, '4xx': ErrorBody } } }, async (req) => {
      rights.operator(req.caller);
      const environments = [];
      for await (const one of shared.engine.builder.list()) environments.push({ ...one, sessions: sessions.using(one.id) });
      return { environments };
    });

    app.post('/gc', { schema: { body: CollectGarbage.nullish(), response: { 200: Collected, '4xx': ErrorBody } } }, (req) => {
      rights.operator(req.caller);
      return parts.collect(req.body?.all ?? false);
    });

    app.post('/enter', { schema: { body: Enter.nullish(), response: { 200: OneTimeLink, '4xx': ErrorBody } } }, (req) => {
      rights.operator(req.caller);
      return { url: enterUrl(callers.origin(req.headers), callers.issueEnter(), req.body?.next) };
    });

    app.post('/hub/shutdown', { schema: { body: Shutdown.nullish() } }, (req, reply) => {
      rights.operator(req.caller);
      const choice = req.body?.sessions ?? 'stop';
      // After the answer, which the caller waits for.
      reply.raw.on('finish', () => parts.shutdown(choice));
      return reply.code(202).send({});
    });
    done();
  };
}

/** The one-time link by which a browser gets the hub's cookie. */
export function enterUrl(origin: string, code: string, next: string | undefined): string {
  const url = new URL('/-/enter', origin);
  url.searchParams.set('code', code);
  const path = ownPath(next);
  if (path !== '/') url.searchParams.set('next', path);
  return url.href.replaceAll('%2F', '/'); // as good in a query, and shorter to read and to copy
}
