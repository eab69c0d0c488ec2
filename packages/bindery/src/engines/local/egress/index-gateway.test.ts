import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTcp, type AddressInfo, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { text } from 'node:stream/consumers';
import { decider } from './decision.ts';
import { dialer } from './dial.ts';
import { gatewayPath } from './index-gateway.ts';
import { createProxy } from './proxy.ts';
import { certificateEnvironment, companyProxy, gatewayIndexes, hostsOf, indexEnvironment } from './surroundings.ts';

const portOf = (server: Server): number => (server.address() as AddressInfo).port;
const AUTH = `Basic ${Buffer.from('reader:s3cr&t').toString('base64')}`;

describe('index gateway', () => {
  const seen: { url: string; authorization: string | undefined; host: string | undefined }[] = [];
  const index = createServer((incoming, response) => {
    seen.push({ url: incoming.url ?? '', authorization: incoming.headers.authorization, host: incoming.headers.host });
    const own = `http://${incoming.headers.host}`;
    if (incoming.headers.authorization !== AUTH) response.writeHead(401).end();
    else if (incoming.url === '/root/simple/numpy/') {
      const links = [
        '../../files/a.whl#sha256=1',
        '/packages/b.whl?x=1&amp;y=2#sha256=2',
        `${own}/root/simple/c.whl`,
        'https://elsewhere.test/d.whl',
        "//elsewhere.test/e'.whl",
      ];
      response.setHeader('content-type', 'text/html; charset=utf-8');
      response.end(
        links
          .map((link, n) => (n === 2 ? `<a class=x href='${link}' data-requires-python="&gt;=3">c</a>` : `<A href="${link}">x</A>`))
          .join('\n'),
      );
    } else if (incoming.url === '/home') {
      response.setHeader('content-type', 'text/html');
      response.end('<a href="/admin">admin</a>');
    } else if (incoming.url === '/root/simple/home/') {
      response.setHeader('content-type', 'text/html');
      response.end('<a href="/home">home</a>');
    } else if (incoming.url === '/root/simple/json/') {
      response.setHeader('content-type', 'application/vnd.pypi.simple.v1+json');
      response.end(
        JSON.stringify({ meta: { 'api-version': '1.1' }, files: [{ filename: 'a.whl', url: '/packages/a.whl', hashes: { sha256: '1' } }] }),
      );
    } else if (incoming.url === '/root/simple/moved/')
      response.writeHead(302, { location: '/packages/moved.whl', 'set-cookie': 'session=secret' }).end();
    else response.end(`file ${incoming.url}`);
  });
  let proxy: Server;
  let port = 0;
  let base = '';

  before(async () => {
    await once(index.listen(0, '127.0.0.1'), 'listening');
    base = `http://reader:s3cr%26t@127.0.0.1:${portOf(index)}/root/simple/`;
    const target = { host: '127.0.0.1', port: portOf(index) };
    proxy = createProxy({
      decide: decider({ allowHosts: [target], lookup: async () => [], ownAddresses: () => [] }),
      dial: dialer(2000),
      limits: { connections: 50, idleMs: 60_000 },
      onDenied: () => {},
      indexes: [{ url: base, insecure: false }],
      key: 'key of the test',
    }).server;
    await once(proxy.listen(0, '127.0.0.1'), 'listening');
    port = portOf(proxy);
  });
  after(() => {
    proxy.close();
    index.close();
  });

  const get = async (path: string, method = 'GET'): Promise<{ status: number; body: string; headers: IncomingMessage['headers'] }> => {
    const outgoing = request({ port, host: '127.0.0.1', path, method, agent: false });
    outgoing.end();
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    return { status: answer.statusCode ?? 0, body: await text(answer), headers: answer.headers };
  };

  test('a page comes with the credentials that the sandbox does not have, and its links lead through the gateway', async () => {
    const path = gatewayPath(0, base);
    assert.equal(path, '/index/0/root/simple');
    const { status, body } = await get(`${path}/numpy/`);
    assert.equal(status, 200);
    assert.ok(!body.includes('reader') && !body.includes('s3cr'));
    const links = [...body.matchAll(/href="([^"]*)"/g)].map((match) => match[1]?.replaceAll('&amp;', '&') ?? '');
    assert.match(links[0] ?? '', /^\/index\/0\/-[\w-]{22}\/root\/files\/a\.whl#sha256=1$/);
    assert.match(links[1] ?? '', /^\/index\/0\/-[\w-]{22}\/packages\/b\.whl\?x=1&y=2#sha256=2$/);
    assert.equal(links[2], '/index/0/root/simple/c.whl');
    assert.equal(links[3], 'https://elsewhere.test/d.whl');
    assert.equal(links[4], "http://elsewhere.test/e'.whl");
    assert.ok(body.includes('data-requires-python="&gt;=3"'));
    for (const link of links.slice(0, 3)) {
      const [fetched = ''] = link.split('#');
      assert.equal((await get(fetched)).body, `file ${fetched.replace(/^\/index\/0(\/-[\w-]+)?/, '')}`);
    }
    assert.ok(seen.every(({ authorization, host }) => authorization === AUTH && host === `127.0.0.1:${portOf(index)}`));
  });

  test('a JSON page too, and a redirect', async () => {
    const page = JSON.parse((await get('/index/0/root/simple/json/')).body) as { files: { url: string; hashes: unknown }[] };
    assert.match(page.files[0]?.url ?? '', /^\/index\/0\/-[\w-]{22}\/packages\/a\.whl$/);
    assert.deepEqual(page.files[0]?.hashes, { sha256: '1' });
    const moved = await get('/index/0/root/simple/moved/');
    assert.equal(moved.status, 302);
    assert.match(moved.headers.location ?? '', /^\/index\/0\/-[\w-]{22}\/packages\/moved\.whl$/);
    assert.equal(moved.headers['set-cookie'], undefined);
  });

  test('credentials open nothing else of that host', async () => {
    const signed = /\/-([\w-]{22})\/packages/.exec((await get('/index/0/root/simple/json/')).body)?.[1] ?? '';
    const before = seen.length;
    for (const path of [
      '/index/0/admin',
      '/index/0/root/simplex',
      '/index/0/root/simple/../../admin',
      '/index/0/root/simple/%2e%2e/%2e%2e/admin',
      '/index/0/root/simple/..%2f..%2fadmin',
      '/index/0/root/simple/..%5c..%5cadmin',
      '/index/0/root/simple\\..\\..\\admin',
      '/index/0//elsewhere.test/root/simple/',
      `/index/0/-${signed}/packages/other.whl`,
      `/index/0/-${signed}/packages/a.whl?x`,
      `/index/0/-${'A'.repeat(22)}/packages/a.whl`,
      '/index/1/root/simple/numpy/',
      '/index/999/root/simple/numpy/',
    ])
      assert.equal((await get(path)).status, 404, path);
    for (const method of ['POST', 'PUT', 'DELETE']) assert.equal((await get('/index/0/root/simple/numpy/', method)).status, 405);
    assert.equal(seen.length, before, 'nothing of it reached the index');
  });

  test('a page outside of the index vouches for nothing', async () => {
    const link = /href="([^"]*)"/.exec((await get('/index/0/root/simple/home/')).body)?.[1] ?? '';
    assert.equal((await get(link)).body, '<a href="/admin">admin</a>');
  });

  test('the index is not reached as a plain proxy target with the credentials', async () => {
    const direct = await get(`http://127.0.0.1:${portOf(index)}/root/simple/numpy/`);
    assert.equal(direct.status, 401);
  });
});

describe("the company's proxy", () => {
  const asked: string[] = [];
  const company = createServer((_incoming, response) => response.writeHead(400).end());
  company.on('connect', (incoming: IncomingMessage, socket: Socket) => {
    asked.push(`${incoming.url} ${incoming.headers['proxy-authorization']}`);
    const refused = incoming.url?.startsWith('refused');
    socket.write(refused ? 'HTTP/1.1 407 No\r\n\r\n' : 'HTTP/1.1 200 OK\r\nX: y\r\n\r\nfirst ');
    socket.pipe(socket);
  });
  after(() => company.close());

  test('everything goes through it, by address where one was looked up, with its credentials, but for what is excepted', async () => {
    await once(company.listen(0, '127.0.0.1'), 'listening');
    const dial = dialer(2000, { url: `http://me:p%40ss@127.0.0.1:${portOf(company)}`, except: ['.inside.test', 'exact.test'] });
    const never = new AbortController().signal;
    const exchange = async (host: string, addresses: { address: string; family: number }[]): Promise<string> => {
      const socket = await dial({ host, port: 443 }, addresses, never);
      socket.end('hello');
      return text(socket);
    };
    assert.equal(await exchange('public.test', [{ address: '93.184.216.34', family: 4 }]), 'first hello');
    assert.equal(await exchange('six.test', [{ address: '2606::1', family: 6 }]), 'first hello');
    assert.equal(await exchange('configured.test', []), 'first hello');
    await assert.rejects(exchange('refused.test', []), /The company's proxy refuses it \(407\)/);
    const auth = `Basic ${Buffer.from('me:p@ss').toString('base64')}`;
    assert.deepEqual(asked, [
      `93.184.216.34:443 ${auth}`,
      `[2606::1]:443 ${auth}`,
      `configured.test:443 ${auth}`,
      `refused.test:443 ${auth}`,
    ]);
    const here = createServer().listen(0, '127.0.0.1');
    await once(here, 'listening');
    for (const host of ['a.inside.test', 'inside.test', 'exact.test']) {
      const socket = await dial({ host, port: portOf(here) }, [{ address: '127.0.0.1', family: 4 }], never);
      socket.destroy();
    }
    here.close();
    assert.equal(asked.length, 4);
  });

  test('a configured name is passed on without being looked up here; any other must be public', async () => {
    const decide = decider({
      allowHosts: [{ host: 'index.test', port: 443 }],
      lookup: async () => Promise.reject(new Error('no DNS')),
      ownAddresses: () => [],
      viaProxy: () => true,
    });
    assert.deepEqual(await decide({ host: 'index.test', port: 443 }), { ok: true, addresses: [] });
    assert.equal((await decide({ host: 'other.test', port: 443 })).ok, false);
  });

  test('one that says nothing or nonsense is given up', async () => {
    for (const [answer, message] of [
      ['', /does not answer/],
      ['HTTP/1.1 200', /closed/],
      ['nonsense\r\n\r\n', /no HTTP/],
      ['x'.repeat(20_000), /closed/],
    ] as const) {
      const odd = createTcp((socket) => (answer === '' ? undefined : answer.length > 1000 ? socket.write(answer) : socket.end(answer)));
      await once(odd.listen(0, '127.0.0.1'), 'listening');
      const { port } = odd.address() as AddressInfo;
      await assert.rejects(
        dialer(300, { url: `http://127.0.0.1:${port}`, except: [] })({ host: 'a', port: 1 }, [], new AbortController().signal),
        message,
      );
      odd.close();
    }
  });
});

describe('what sandboxes are told of the indexes', () => {
  const PYPI = 'https://pypi.org/simple';

  test('nothing where PyPI is used, and an open index as it is', () => {
    assert.deepEqual(indexEnvironment({ url: PYPI, extra: [], environment: {} }, 3128), {});
    const open = 'https://index.test/simple';
    assert.deepEqual(indexEnvironment({ url: open, extra: [], environment: {} }, 3128), { PIP_INDEX_URL: open, UV_DEFAULT_INDEX: open });
    assert.deepEqual(gatewayIndexes({ url: open, extra: [], environment: {} }), []);
  });

  test('an index with credentials, on loopback, or with certificates that are not checked through the gateway', () => {
    const settings = { url: PYPI, extra: ['https://u:p@a.test/simple', 'http://localhost:3141/root/pypi/+simple'], environment: {} };
    const through = 'http://127.0.0.1:3128/index/0/simple http://127.0.0.1:3128/index/1/root/pypi/+simple';
    assert.deepEqual(indexEnvironment(settings, 3128), { PIP_EXTRA_INDEX_URL: through, UV_INDEX: through });
    assert.deepEqual(
      gatewayIndexes(settings).map(({ url }) => url),
      settings.extra,
    );
    const own = { url: 'https://corp.test/simple', extra: [], environment: { SSL_CERT_FILE: '/ca.pem', UV_INSECURE_HOST: 'corp.test' } };
    assert.deepEqual(gatewayIndexes({ ...own, environment: { SSL_CERT_FILE: '/ca.pem' } }), []);
    assert.equal(certificateEnvironment('/ca.pem')['REQUESTS_CA_BUNDLE'], '/ca.pem');
    assert.equal(indexEnvironment(own, 1)['PIP_INDEX_URL'], 'http://127.0.0.1:1/index/0/simple');
    assert.deepEqual(gatewayIndexes(own), [{ url: own.url, insecure: true }]);
    assert.deepEqual(indexEnvironment({ url: '/srv/wheels', extra: [], environment: {} }, 1), {});
  });

  test('hosts for the allow list', () => {
    assert.deepEqual(hostsOf([PYPI, 'http://u:p@Git.test:8080/x', '/srv', 'file:///srv', 'ssh://git.test']), [
      { host: 'pypi.org', port: 443 },
      { host: 'files.pythonhosted.org', port: 443 },
      { host: 'git.test', port: 8080 },
    ]);
  });

  test("the company's proxy as variables name it", () => {
    assert.deepEqual(companyProxy({ HTTPS_PROXY: 'proxy.test:3128', NO_PROXY: 'localhost, .corp.test' }), {
      url: 'http://proxy.test:3128',
      except: ['localhost', '.corp.test'],
    });
    assert.equal(companyProxy({}), undefined);
    assert.equal(companyProxy({ ALL_PROXY: 'socks5://a:1' }), undefined);
  });
});
