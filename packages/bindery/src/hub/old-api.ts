import type { FastifyPluginCallbackZod } from 'fastify-type-provider-zod';
import { BADGES } from './badges.ts';
import { BuildStream, type BuildStreamOptions } from './build-stream.ts';
import type { HubParts } from './parts.ts';
import { repoProviders } from './repo-providers.ts';

/** The old contract: what clients of BinderHub know (its `app.py` lists the routes). Pages are in pages.ts. */
export function oldApi(parts: HubParts, options: BuildStreamOptions): FastifyPluginCallbackZod {
  const { shared, sessions, metrics, version } = parts;
  const stream = new BuildStream(parts, options);
  const versions = { builder_info: { build_image: `bindery:${version}` }, binderhub: version, builder: `bindery:${version}` };

  const health = (): unknown => {
    const { maximum: quota } = shared.config.session;
    const total = sessions.count;
    const room = { service: 'Session quota', total_pods: total, build_pods: 0, user_pods: total, quota, ok: total < quota };
    return {
      ok: true,
      checks: [
        { service: `Engine ${shared.engine.id}`, ok: true },
        { ...room, _ignore_failure: true },
      ],
    };
  };

  return (app, _, done) => {
    app.get('/build/:provider/*', (req, reply) => stream.answer(req, reply));

    app.get('/versions', (_req, reply) => reply.header('access-control-allow-origin', '*').send(versions));

    app.route({ method: ['GET', 'HEAD'], url: '/health', handler: () => health() });

    app.get('/api/repoproviders', (_req, reply) => reply.header('access-control-allow-origin', '*').send(repoProviders(shared.providers)));

    app.get('/metrics', async (_req, reply) => reply.type(metrics.contentType).send(await metrics.text()));

    // The page of the old address, as the old servers redirected it.
    app.get('/repo/:user/:repo', (req, reply) => reply.redirect(legacy(req.raw.url ?? ''), 302));
    app.get('/repo/:user/:repo/*', (req, reply) => reply.redirect(legacy(req.raw.url ?? ''), 302));

    for (const [path, svg] of Object.entries(BADGES))
      app.get(path, (_req, reply) =>
        reply.type('image/svg+xml').header('access-control-allow-origin', '*').header('cache-control', 'public, max-age=3600').send(svg),
      );
    done();
  };
}

/** `/v2/gh/{user}/{repo}/master[?urlpath=…]` for `/repo/{user}/{repo}[/{page}]`. */
function legacy(url: string): string {
  const [, user = '', repo = '', page = ''] = /^\/repo\/([^/?]+)\/([^/?]+)(\/[^?]*)?/.exec(url) ?? [];
  const query = page.replaceAll('/', '') === '' ? '' : `?${new URLSearchParams({ urlpath: decodeURIComponent(page) }).toString()}`;
  return `/v2/gh/${user}/${repo}/master${query}`;
}
