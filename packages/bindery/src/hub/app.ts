import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod';
import { API_BASE, type ErrorBody } from '@bindery/wire/api.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import { forPeople } from './launches.ts';
import { hubApi } from './hub-api.ts';
import { launchApi } from './launch-api.ts';
import { oldApi } from './old-api.ts';
import { describeApi } from './openapi.ts';
import { errorPage, isForPeople, Pages } from './pages.ts';
import type { HubParts } from './parts.ts';
import { sessionApi } from './session-api.ts';

export interface AppOptions {
  /** How long streams of the old contract stay open after their last event, in milliseconds. */
  readonly lingerMs: number;
  /** Addresses of proxies before this hub, whose word on the client's address is taken. */
  readonly trustedProxies: readonly string[];
}

const BODY = 64 * 1024;
/** What a page of an allowed site may send along. */
const CORS_HEADERS = 'accept, authorization, cache-control, content-type, idempotency-key, last-event-id, x-launch-key, x-xsrftoken';

/** The HTTP application of the hub: all that is not a session's. It listens nowhere by itself. */
export async function createApp(parts: HubParts, options: AppOptions): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    bodyLimit: BODY,
    // HEAD must not launch, nor spend a one-time link.
    exposeHeadRoutes: false,
    trustProxy: options.trustedProxies.length > 0 ? [...options.trustedProxies] : false,
    routerOptions: { maxParamLength: 4096 },
  }).withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.decorateRequest('caller');
  const pages = new Pages(parts);
  app.setErrorHandler((error: FastifyError, req, reply) => sendError(parts, req, reply, error));
  app.setNotFoundHandler((req, reply) => {
    if (req.method === 'GET' && isForPeople(req)) return pages.send(req, reply, 404);
    return sendError(parts, req, reply, new BinderyError('not_found', `There is nothing at ${(req.raw.url ?? '/').slice(0, 200)}.`));
  });
  app.addHook('onRequest', (req, reply, next) => {
    req.caller = parts.callers.identify({ method: req.method, headers: req.headers });
    void reply.headers({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' });
    if (req.caller.site === 'allowed') allowOrigin(reply, req.headers.origin ?? '');
    next();
  });
  app.options('/*', (req, reply) => preflight(req, reply));
  describeApi(app, parts.version);
  for (const routes of [hubApi(parts), launchApi(parts), sessionApi(parts)]) await app.register(routes, { prefix: API_BASE });
  await app.register(oldApi(parts, { lingerMs: options.lingerMs }));
  await app.register(pages.routes());
  await app.ready();
  return app;
}

function allowOrigin(reply: FastifyReply, origin: string): void {
  void reply.headers({ 'access-control-allow-origin': origin, vary: 'Origin', 'access-control-expose-headers': 'location, retry-after' });
}

/** Asked by browsers before requests from a page of an allowed site; others get no permission. */
function preflight(req: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (req.caller.site === 'allowed')
    void reply.headers({
      'access-control-allow-methods': 'GET, HEAD, POST, DELETE',
      'access-control-allow-headers': CORS_HEADERS,
      'access-control-max-age': '600',
      ...(req.headers['access-control-request-private-network'] === 'true' ? { 'access-control-allow-private-network': 'true' } : {}),
    });
  else void reply.header('access-control-allow-headers', 'cache-control');
  return reply.code(204).send();
}

function sendError(parts: HubParts, req: FastifyRequest, reply: FastifyReply, error: Error): FastifyReply {
  const told = forPeople(error) ?? refused(error) ?? bug(parts, req, error);
  if (told.code === 'rate_limited') void reply.header('retry-after', String(/\d+/.exec(told.message)?.[0] ?? 60));
  if (told.code === 'unauthorized') void reply.header('www-authenticate', 'Bearer');
  const status = error instanceof BinderyError ? told.status : (statusOf(error) ?? told.status);
  if (isForPeople(req)) {
    const policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    return reply.code(status).type('text/html; charset=utf-8').header('content-security-policy', policy).send(errorPage(told));
  }
  const body: ErrorBody = { error: { code: told.code, message: told.message, hint: told.hint, retryable: told.retryable } };
  // Sent as text: the answer's own schema is that of success.
  return reply.code(status).type('application/json; charset=utf-8').serializer(JSON.stringify).send(body);
}

/** What fastify itself found wrong with a request. */
function refused(error: Error): BinderyError | undefined {
  const status = statusOf(error);
  return status === undefined
    ? undefined
    : new BinderyError('request_invalid', `The request was refused: ${error.message}`, { cause: error });
}

function statusOf(error: Error): number | undefined {
  const status = (error as Partial<FastifyError>).statusCode;
  return status !== undefined && status >= 400 && status < 500 ? status : undefined;
}

function bug(parts: HubParts, req: FastifyRequest, error: Error): BinderyError {
  parts.shared.log.error({ err: error, method: req.method, route: req.routeOptions.url }, 'request failed by a fault of ours');
  return new BinderyError('internal', 'Something went wrong in Bindery itself.');
}
