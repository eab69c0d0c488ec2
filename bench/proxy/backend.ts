// The server behind both proxies: a small JSON answer to every request, and WebSockets that stay silent.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';

const body = JSON.stringify({
  id: 'b'.repeat(36),
  name: 'python3',
  last_activity: '2026-01-01T00:00:00.000000Z',
  execution_state: 'idle',
  connections: 1,
}).padEnd(200);
const server = createServer((req, res) => {
  req.resume();
  res.writeHead(200, {
    'Content-Type': 'application/json',
    'Content-Length': body.length,
    ETag: '"abc"',
    Date: 'Thu, 01 Jan 2026 00:00:00 GMT',
  });
  res.end(body);
});
server.keepAliveTimeout = 600_000;
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on('error', (error) => console.error(error));
server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ port: (server.address() as AddressInfo).port })));
