import type { FastifyInstance, FastifySchema } from 'fastify';
import { z } from 'zod';
import { API_BASE, LAUNCH_KEY_HEADER } from '@bindery/wire/api.ts';

interface Described {
  readonly method: string;
  readonly url: string;
  readonly schema: FastifySchema;
}

/** What each operation does, in words; a route that is missing here is a fault that a test finds. */
export const SUMMARIES: Readonly<Record<string, string>> = {
  'POST /launches': 'Start a launch. The answer holds its key, once.',
  'GET /launches/{id}': 'Read a launch.',
  'GET /launches/{id}/events': 'Follow a launch: server-sent events, or NDJSON by Accept; resumable by Last-Event-ID or ?after=.',
  'DELETE /launches/{id}': 'Cancel a launch.',
  'GET /sessions': 'List sessions, running and lately ended.',
  'GET /sessions/{id}': 'Read a session.',
  'DELETE /sessions/{id}': 'Stop a session; its changed files are saved.',
  'POST /sessions/{id}/keep-alive': 'Put off the end of an idle session.',
  'POST /sessions/{id}/open': 'Get a fresh one-time address of a session for a browser.',
  'POST /sessions/{id}/share': 'Make a link by which others use a session, as much as a role allows, until a time.',
  'GET /sessions/{id}/log': "Read the log of a session's server.",
  'GET /sessions/{id}/saved': 'Download the changed files of an ended session, as a gzipped tar archive.',
  'GET /info': 'What this hub is, and whether the caller may use it.',
  'GET /providers': 'List the kinds of links that this hub opens.',
  'GET /examples': 'List repositories to try.',
  'GET /plan': 'What would be built for a link, with the reason for each line.',
  'GET /environments': 'List built environments.',
  'POST /gc': 'Remove environments that are not needed.',
  'POST /enter': 'Get a one-time link that lets a browser use this hub.',
  'POST /hub/shutdown': 'End the hub.',
  'GET /openapi.json': 'This description.',
};

/** Collects the routes of the new contract as they are added, and answers with their OpenAPI 3.1 description. */
export function describeApi(app: FastifyInstance, version: string): void {
  const routes: Described[] = [];
  let made: unknown;
  app.addHook('onRoute', (route) => {
    const methods = [route.method].flat().filter((method) => method !== 'HEAD' && method !== 'OPTIONS');
    if (route.url.startsWith(API_BASE)) for (const method of methods) routes.push({ method, url: route.url, schema: route.schema ?? {} });
  });
  app.get(`${API_BASE}/openapi.json`, () => (made ??= description(routes, version)));
}

function description(routes: readonly Described[], version: string): unknown {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const { method, url, schema } of routes) {
    const path = url.slice(API_BASE.length).replaceAll(/:(\w+)/g, '{$1}');
    (paths[path] ??= {})[method.toLowerCase()] = operation(`${method} ${path}`, schema);
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Bindery', version, license: { name: 'BSD-3-Clause' } },
    servers: [{ url: API_BASE }],
    paths,
    components: {
      securitySchemes: {
        hubKey: { type: 'http', scheme: 'bearer', description: 'The hub key, or the cookie of a browser that was let in.' },
        launchKey: { type: 'apiKey', in: 'header', name: LAUNCH_KEY_HEADER, description: 'The key of one launch.' },
      },
    },
  };
}

function operation(name: string, schema: FastifySchema): unknown {
  const fields = (place: 'path' | 'query', source: unknown): unknown[] => {
    const { properties = {}, required = [] } = jsonSchema(source, 'input') as {
      properties?: Record<string, unknown>;
      required?: string[];
    };
    return Object.entries(properties).map(([field, inner]) => ({
      name: field,
      in: place,
      required: required.includes(field),
      schema: inner,
    }));
  };
  const responses = Object.entries((schema.response ?? {}) as Record<string, unknown>).map(([status, body]) => [
    status.toUpperCase(),
    { description: status === '4xx' ? 'The request was refused' : 'Success', content: json(jsonSchema(body, 'output')) },
  ]);
  return {
    summary: SUMMARIES[name],
    security: [{ hubKey: [] }, { launchKey: [] }],
    parameters: [...fields('path', schema.params), ...fields('query', schema.querystring)],
    ...(schema.body === undefined ? {} : { requestBody: { content: json(jsonSchema(schema.body, 'input')) } }),
    responses: responses.length > 0 ? Object.fromEntries(responses) : { 200: { description: 'Success' } },
  };
}

function json(schema: unknown): unknown {
  return { 'application/json': { schema } };
}

function jsonSchema(source: unknown, io: 'input' | 'output'): unknown {
  if (!(source instanceof z.ZodType)) return {};
  const { $schema: _, ...rest } = z.toJSONSchema(source, { io, unrepresentable: 'any' });
  return rest;
}
