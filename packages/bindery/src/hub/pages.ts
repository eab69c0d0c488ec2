import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { PageConfig } from '@bindery/wire/api.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import { ownPath } from './callers.ts';
import type { HubParts } from './parts.ts';
import { forSockets } from '../relay/places.ts';
import { wantsPage } from '../proxy/answers.ts';

/** Query of the one-time link. */
const Entry = z.object({ code: z.string().default(''), next: z.string().optional() });
/** Places in the built page where the hub writes. */
const CONFIG = '<script type="application/json" id="page-config">{}</script>';
const OPEN_GRAPH = '<!--open-graph-->';

/** The web page: one document for every address, told by its configuration what it needs to know. */
export class Pages {
  readonly #parts: HubParts;
  #template: { readonly text: string; readonly at: number } | undefined;

  constructor(parts: HubParts) {
    this.#parts = parts;
  }

  routes(): FastifyPluginCallbackZod {
    return (app, _, done) => {
      void app.register(fastifyStatic, {
        root: join(this.#parts.web, 'assets'),
        prefix: '/assets/',
        decorateReply: false,
        immutable: true,
        maxAge: '365d',
        index: false,
        logLevel: 'silent',
      });
      app.get('/', (req, reply) => this.send(req, reply));
      app.get('/sessions', (req, reply) => this.send(req, reply));
      app.get('/look', (req, reply) => this.send(req, reply));
      app.get('/open/:id', (req, reply) => this.send(req, reply));
      app.get('/v2/:provider/*', (req, reply) => this.send(req, reply));
      app.get('/-/enter', { schema: { querystring: Entry } }, (req, reply) => {
        // Whoever is in already is led on: a printed link may be clicked twice.
        if (req.caller.by === 'nobody') void reply.header('set-cookie', this.#parts.callers.enter(req.query.code));
        return reply.redirect(ownPath(req.query.next), 303);
      });
      done();
    };
  }

  /** The page for this request's address; addresses that nothing is at get it with status 404. */
  async send(req: FastifyRequest, reply: FastifyReply, status = 200): Promise<FastifyReply> {
    const html = await this.#read();
    const title = this.#title(req);
    const origin = this.#parts.callers.origin(req.headers);
    const config = JSON.stringify(this.#config(req, origin)).replaceAll('<', '\\u003c');
    const page = html
      .replace(CONFIG, () => CONFIG.replace('{}', () => config))
      .replace(OPEN_GRAPH, () => openGraph(title, origin + (req.raw.url ?? '/').replace(/\?.*/s, '')));
    return reply.code(status).type('text/html; charset=utf-8').headers(policy(req.headers.host, this.#parts)).send(page);
  }

  #config(req: FastifyRequest, origin: string): PageConfig {
    const { shared, version } = this.#parts;
    return { version, baseUrl: '/', publicUrl: origin, isolated: shared.engine.isolated, ...this.#asks(req, origin) };
  }

  /** A page that another site opened asks before it launches: only the browser's own word tells, never the page's address. */
  #asks(req: FastifyRequest, origin: string): Pick<PageConfig, 'ask' | 'askFrom'> {
    const site = req.headers['sec-fetch-site'];
    const from = URL.parse(req.headers.referer ?? '')?.origin;
    const own = site === 'none' || site === 'same-origin' || (site === undefined && from === origin);
    const ask = !own && !this.#parts.rights.open && (req.raw.url ?? '').startsWith('/v2/');
    return ask && from !== undefined && from !== origin && from !== 'null' ? { ask, askFrom: from } : { ask };
  }

  #title(req: FastifyRequest): string {
    const [, id = '', spec = ''] = /^\/v2\/([^/?]+)\/([^?]+)/.exec(req.raw.url ?? '') ?? [];
    const provider = this.#parts.shared.providers.get(id);
    return provider ? `${provider.displayName}: ${spec}` : 'Bindery';
  }

  /** The built page; read again when a new build has replaced it. */
  async #read(): Promise<string> {
    const path = join(this.#parts.web, 'index.html');
    try {
      const { mtimeMs } = await stat(path);
      if (this.#template?.at !== mtimeMs) this.#template = { text: await readFile(path, 'utf8'), at: mtimeMs };
      return this.#template.text;
    } catch (cause) {
      throw new BinderyError('not_found', 'The web page of this hub has not been built.', {
        hint: 'Run npm run build --workspace packages/web.',
        cause,
      });
    }
  }
}

/** A short page for an error that a person meets on the hub itself; it needs nothing else to be there. */
export function errorPage(error: BinderyError): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Bindery</title>
<style>:root{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif}main{max-width:38rem;margin:12vh auto;padding:0 1rem}</style></head>
<body><main><h1>${escape(error.message)}</h1><p>${escape(error.hint)}</p><p><a href="/">Launch page</a></p></main></body>
</html>
`;
}

/** True for a request whose answer is shown as a page. */
export function isForPeople(req: FastifyRequest): boolean {
  return wantsPage(req.headers) && !/^\/(?:api|build)\//.test(req.raw.url ?? '');
}

/** Nothing of other sites, nothing inline, in nobody's frame; sessions' origins may be probed, and rooms of the relay be entered. */
function policy(host: string | undefined, { shared }: HubParts): Record<string, string> {
  const port = /:\d+$/.exec(host ?? '')?.[0] ?? '';
  const { publicUrl, sessionHost } = shared.config.hub;
  const scheme = publicUrl?.startsWith('https:') ? 'https' : 'http';
  const sessions = publicUrl === undefined ? `http://*.localhost${port}` : sessionHost === undefined ? '' : `${scheme}://${sessionHost}`;
  const known = shared.config.relay.publicUrl;
  const relay = known !== undefined ? ` ${forSockets(new URL(known).origin)}` : publicUrl === undefined ? ' ws://localhost:*' : '';
  const rules = [
    "default-src 'self'",
    `connect-src 'self' ${sessions}`.trim() + relay,
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ];
  return { 'content-security-policy': rules.join('; '), 'cross-origin-opener-policy': 'same-origin', 'referrer-policy': 'same-origin' };
}

function openGraph(title: string, url: string): string {
  const tag = (name: string, content: string): string => `<meta property="${name}" content="${escape(content)}">`;
  const description = 'Open this repository as a live notebook.';
  return [
    tag('og:type', 'website'),
    tag('og:site_name', 'Bindery'),
    tag('og:title', title),
    tag('og:description', description),
    tag('og:url', url),
    `<meta name="twitter:card" content="summary">`,
  ].join('\n    ');
}

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
