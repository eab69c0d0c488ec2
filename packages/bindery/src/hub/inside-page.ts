import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join } from 'node:path';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Our own scripts and nothing else; images that stand in the notebook, or are files of the session. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** By the names at which they are asked for. */
const PAGES: ReadonlyMap<string, string> = new Map([
  ['notebook', 'notebook.html'],
  ['graphql', 'graphql.html'],
]);

/**
 * Pages for whoever is inside a session: that of one notebook, `notebook?path=…`, that to ask by GraphQL, `graphql`, and what they are made of,
 * `assets/…`. What they then may read and do, each request and room decides. False where the name is neither.
 * @param web folder of the built pages
 */
export function insidePage(web: string, name: string, { method }: IncomingMessage, res: ServerResponse): boolean {
  const file = PAGES.get(name) ?? (/^assets\/[\w-]+\.(?:js|css|svg)$/.test(name) ? name : undefined);
  if (file === undefined || (method !== 'GET' && method !== 'HEAD')) return false;
  const isAsset = file === name;
  readFile(join(web, file)).then(
    (bytes) => {
      res.writeHead(200, {
        'content-type': TYPES[extname(file)],
        'content-length': bytes.length,
        'content-security-policy': POLICY,
        'cross-origin-opener-policy': 'same-origin',
        'referrer-policy': 'same-origin',
        'x-content-type-options': 'nosniff',
        'cache-control': isAsset ? 'private, max-age=31536000, immutable' : 'no-cache',
      });
      res.end(method === 'HEAD' ? undefined : bytes);
    },
    () => res.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('The web page of this hub has not been built.\n'),
  );
  return true;
}
