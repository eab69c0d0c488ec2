// Our proxy in a process of its own: `ours.ts <backend port> <id>...` says its port and each session's cookie.
import type { AddressInfo } from 'node:net';
import { systemClock } from '../../packages/bindery/src/base/clock.ts';
import { makeLog } from '../../packages/bindery/src/base/log.ts';
import { createListener } from '../../packages/bindery/src/proxy/listener.ts';
import { Keys } from '../../packages/bindery/src/proxy/keys.ts';
import { createProxy } from '../../packages/bindery/src/proxy/proxy.ts';

const [backend = '', count = ''] = process.argv.slice(2);
const secret = Buffer.alloc(32, 1);
const keys = new Keys(systemClock, secret);
let port = 0;
const proxy = createProxy({
  clock: systemClock,
  log: makeLog('warn'),
  hosts: { hub: ['localhost'], sessionSuffix: '.localhost', secure: false },
  explain: () => undefined,
  hubUrl: () => `http://localhost:${port}/`,
  secret,
});
const cookies: Record<string, string> = {};
for (let index = 0; index < Number(count); index++) {
  const id = `session-${index}`;
  proxy.addRoute({
    id,
    prefix: `/s/${id}/`,
    target: { host: '127.0.0.1', port: Number(backend) },
    authorization: 'token 0123456789abcdef',
  });
  cookies[id] = `bindery-session=${keys.cookie(id)}`;
}
const server = createListener(proxy, { next: (_, res) => res.end() });
server.listen(0, '127.0.0.1', () => {
  port = (server.address() as AddressInfo).port;
  console.log(JSON.stringify({ port, cookies }));
});
