import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { request } from 'node:http';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import { systemClock } from '../../../base/clock.ts';
import { forwarder, proxyEnvironment, startEgress, type Egress } from './egress.ts';
import { freePort } from '../../../../../../test/fakes/free-port.ts';

const root = process.getuid?.() === 0;
const UID = 64_321;

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('egress', () => {
  const folder = mkdtempSync(join(tmpdir(), 'egress-'));
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) });
  const echo = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
  let egress: Egress;
  let forward: ChildProcess;
  let port = 0;
  let echoPort = 0;

  before(async () => {
    await once(echo.listen(0, '127.0.0.1'), 'listening');
    echoPort = (echo.address() as AddressInfo).port;
    egress = await startEgress({
      folder,
      uid: root ? UID : undefined,
      allowHosts: [{ host: '127.0.0.1', port: echoPort }],
      log,
      clock: systemClock,
    });
    port = await freePort();
    forward = spawn('python3', ['-I', '-S', forwarder().file, join(folder, egress.socketName), String(port)], {
      stdio: 'inherit',
      env: { PATH: process.env['PATH'] },
    });
    await until(() => reachable(port), 'forwarder');
  });
  after(async () => {
    forward.kill();
    await egress.close();
    echo.close();
    rmSync(folder, { recursive: true });
  });

  const reachable = (to: number): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect(to, '127.0.0.1', () => resolve(socket.destroy() !== undefined));
      socket.on('error', () => resolve(false));
    });
  const exchange = async (bytes: string | Buffer): Promise<string> => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.end(bytes);
    return text(socket);
  };
  const tunnel = (body: string): Promise<string> => exchange(`CONNECT 127.0.0.1:${echoPort} HTTP/1.1\r\nHost: x\r\n\r\n${body}`);

  test('programs are told of the proxy, and not to use it for their own machine', () => {
    const env = proxyEnvironment();
    assert.equal(env['http_proxy'], 'http://127.0.0.1:3128');
    assert.equal(env['HTTPS_PROXY'], 'http://127.0.0.1:3128');
    assert.equal(env['NO_PROXY'], 'localhost,127.0.0.1,::1');
  });

  test('bytes go from a TCP port through the socket and back, megabytes of them', async () => {
    const body = 'x'.repeat(8 * 2 ** 20);
    const reply = await tunnel(body);
    assert.equal(reply.length - reply.indexOf('\r\n\r\n') - 4, body.length);
  });

  test('many connections at once are carried', async () => {
    const replies = await Promise.all(Array.from({ length: 100 }, (_, index) => tunnel(`message ${index}`)));
    for (const [index, reply] of replies.entries()) assert.ok(reply.endsWith(`\r\n\r\nmessage ${index}`));
  });

  test("the hub's own ports and the metadata service are closed, and the hub's log says who was asked for", async () => {
    for (const [target, why] of [
      [`127.0.0.1:${port}`, "is the hub's own machine"],
      [`localhost:${echoPort}`, "is the hub's own machine"],
      ['169.254.169.254:80', "is a cloud's metadata service"],
      [`2130706433:${echoPort}`, "is the hub's own machine"],
      [`0x7f.1:${echoPort}`, "is the hub's own machine"],
      [`[::ffff:127.0.0.1]:${echoPort}`, "is the hub's own machine"],
      [`0.0.0.0:${echoPort}`, "is the hub's own machine"],
    ] as const) {
      const reply = await exchange(`CONNECT ${target} HTTP/1.1\r\nHost: x\r\n\r\n`);
      assert.ok(reply.startsWith('HTTP/1.1 403 ') && reply.includes(why), `${target}: ${reply}`);
    }
    await until(() => lines.some((line) => line['host'] === '169.254.169.254' && line['msg'] === 'egress denied'), 'log line');
    const asked = request({ port, host: '127.0.0.1', path: 'http://169.254.169.254/latest/meta-data/', headers: { host: 'example.org' } });
    asked.end();
    assert.equal(((await once(asked, 'response')) as [{ statusCode: number }])[0].statusCode, 403);
  });

  test('a flood of denials is a few log lines that tell how many were left out', async () => {
    lines.length = 0;
    await Promise.all(Array.from({ length: 60 }, () => exchange('CONNECT 10.0.0.1:80 HTTP/1.1\r\nHost: x\r\n\r\n')));
    assert.ok(lines.length <= 30, `${lines.length} lines`);
    await until(
      async () =>
        (await exchange('CONNECT 10.0.0.1:80 HTTP/1.1\r\nHost: x\r\n\r\n')) !== '' && lines.some((line) => Number(line['unsaid']) > 0),
      'count of what was left out',
    );
  });

  test('counters arrive', async () => {
    await until(() => egress.stats().bytesDown > 8 * 2 ** 20 && egress.stats().denied > 60, 'counters');
  });

  test('the process runs as the given user with nothing of root left', { skip: !root }, () => {
    const status = readFileSync(`/proc/${egress.pid()}/status`, 'utf8');
    assert.match(status, new RegExp(`^Uid:\t${UID}\t${UID}\t${UID}\t${UID}$`, 'm'));
    assert.match(status, new RegExp(`^Gid:\t${UID}\t${UID}\t${UID}\t${UID}$`, 'm'));
    assert.match(status, /^Groups:\s*$/m);
    for (const set of ['Prm', 'Eff', 'Inh', 'Amb']) assert.match(status, new RegExp(`^Cap${set}:\t0+$`, 'm'));
    assert.equal(statSync(join(folder, egress.socketName)).mode & 0o777, 0o666);
  });

  test('its environment and arguments hold nothing of the hub', () => {
    assert.equal(readFileSync(`/proc/${egress.pid()}/environ`, 'utf8'), 'UV_THREADPOOL_SIZE=16\0');
    assert.ok(!readFileSync(`/proc/${egress.pid()}/cmdline`, 'utf8').includes(folder));
  });

  test('a killed process is started again, and connections made meanwhile wait for it', async () => {
    const old = egress.pid() ?? 0;
    process.kill(old, 'SIGKILL');
    await until(() => egress.pid() !== old, 'end of the old process');
    assert.ok((await tunnel('again')).endsWith('\r\n\r\nagain'));
    assert.notEqual(egress.pid(), old);
  });
});

test('the process ends with its hub, even a killed one', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'egress-'));
  const code = `
    import { startEgress } from ${JSON.stringify(new URL('./egress.ts', import.meta.url).href)};
    import { pino } from 'pino';
    const egress = await startEgress({ folder: ${JSON.stringify(folder)}, allowHosts: [], log: pino({ level: 'silent' }), clock: { now: Date.now, monotonic: () => performance.now() } });
    console.log(egress.pid());`;
  const hub = spawn(process.execPath, ['--input-type=module-typescript', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: import.meta.dirname,
  });
  const [line] = (await once(hub.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  assert.ok(existsSync(`/proc/${pid}`));
  hub.kill('SIGKILL');
  await until(() => !existsSync(`/proc/${pid}`), 'end of the process');
  rmSync(folder, { recursive: true });
});

test('a folder that cannot hold the socket is a clear error', async () => {
  const folder = join(mkdtempSync(join(tmpdir(), 'egress-')), 'x'.repeat(120));
  await assert.rejects(startEgress({ folder, allowHosts: [], log: pino({ level: 'silent' }), clock: systemClock }), {
    code: 'start_failed',
  });
});

test('the forwarder answers 503 when there is no proxy, and closes', async () => {
  const port = await freePort();
  const forward = spawn(
    'python3',
    [
      '-I',
      '-S',
      '-c',
      `import runpy, sys; sys.argv = ["", "/no/such.sock", "${port}"]; m = runpy.run_path(${JSON.stringify(forwarder().file)}); m["connect"] = 0; m["main"].__globals__["PATIENCE"] = 0.1; m["main"]()`,
    ],
    { stdio: 'inherit' },
  );
  let reply = '';
  await until(async () => {
    const socket = connect({ port, host: '127.0.0.1' });
    reply = await text(socket).catch(() => '');
    return reply !== '';
  }, 'answer');
  forward.kill();
  assert.match(reply, /^HTTP\/1.1 503 Network proxy not available\r\n/);
});
