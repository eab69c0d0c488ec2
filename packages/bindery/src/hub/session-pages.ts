import type { IncomingMessage, ServerResponse } from 'node:http';
import { includes } from '@bindery/wire/roles.ts';
import type { Visitor } from '../proxy/visitors.ts';
import { insidePage } from './inside-page.ts';
import type { Sessions } from './sessions.ts';

/**
 * What a page inside a session may ask its hub, below `/s/<id>/-/`: `status` tells when the session will end and why,
 * `keep-alive` puts that off, for whoever may run code; `notebook` and `graphql` are pages. The proxy has checked that the session's own page asks.
 */
export function sessionPages(
  sessions: Sessions,
  web: string,
): (id: string, name: string, visitor: Visitor, req: IncomingMessage, res: ServerResponse) => boolean {
  const answer = async (id: string, res: ServerResponse): Promise<void> => {
    const view = await sessions.view(id);
    res.writeHead(200, {
      'content-type': 'application/json; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    res.end(JSON.stringify(view));
  };
  return (id, name, { role }, req, res) => {
    if (insidePage(web, name, req, res)) return true;
    const isStatus = name === 'status' && req.method === 'GET';
    const isKeepAlive = name === 'keep-alive' && req.method === 'POST' && includes(role, 'execute');
    if (!isStatus && !isKeepAlive) return false;
    if (isKeepAlive) sessions.keepAlive(id);
    answer(id, res).catch(() => res.destroy());
    return true;
  };
}
