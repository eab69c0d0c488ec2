// Nothing gets out (DESIGN I7): builds and sessions, of a hub started as root and of one without any rights, probed from inside on
// a machine and in a world that are network namespaces of this test's own. Each wall is a test of its own.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { canMakeNetworks, makeNetwork, type Network } from '../fakes/network.ts';
import { asNobody, NOBODY, shown } from '../fakes/unprivileged.ts';
import { toolUv } from '../tools.ts';
import type { BodyOrder, Probe, Seen } from './seen.ts';

const CANARY = 'kanari-4711-x';
const PUBLIC = '93.184.216.34';
const CLOSED: Readonly<Record<string, string>> = {
  '10.20.30.40': 'is in a private network',
  '172.20.0.1': 'is in a private network',
  '192.168.7.7': 'is in a private network',
  '100.100.1.1': 'is in a private network',
  '169.254.169.254': "is a cloud's metadata service",
  '168.63.129.16': "is a cloud's metadata service",
  'fd00:ec2::254': "is a cloud's metadata service",
  'fd12::34': 'is in a private network',
};
const WORLD = [PUBLIC, ...Object.keys(CLOSED)];
const ERRORS = /^E[A-Z]+$/;

describe('boundary', { skip: canMakeNetworks() ? false : 'Namespaces cannot be made here: run as root, with iproute2.' }, () => {
  const homes: Record<string, string> = {};
  const seen: Record<string, Seen> = {};
  let network: Network;

  before(async () => {
    network = await makeNetwork(WORLD.map((address) => `${address}/${address.includes(':') ? 128 : 32}`));
    const uv = await toolUv();
    await Promise.all(
      ['root', 'nobody'].map(async (who) => {
        const home = (homes[who] = mkdtempSync(join(tmpdir(), `boundary-${who}-`)));
        seen[who] = await observe(network, who, home, uv);
      }),
    );
  });
  after(async () => {
    await network.close();
    for (const home of Object.values(homes)) rmSync(home, { recursive: true, force: true });
  });

  for (const who of ['root', 'nobody']) {
    const whole = (): Seen => seen[who] ?? assert.fail('nothing was seen');
    for (const place of ['session', 'build'] as const) {
      describe(`${place} of a hub run by ${who}`, () => walls(() => whole()[place], whole, place, who === 'root'));
    }
    describe(`machine of a hub run by ${who}`, () => machine(whole, who === 'root'));
  }
});

/** Runs the hub's part as one user on the stand-in machine. */
async function observe(network: Network, who: string, home: string, uv: string): Promise<Seen> {
  const nobody = who === 'nobody';
  const own = join(home, 'own');
  const tun = join(home, 'tun'); // on most machines everybody may open it
  spawnSync('mknod', ['-m', '666', tun, 'c', '10', '200']);
  mkdirSync(own, { mode: 0o755 });
  if (nobody) for (const folder of [home, own]) chownSync(folder, NOBODY, NOBODY);
  const at = nobody ? shown : (path: string): string => path;
  const order: BodyOrder = {
    home: own,
    uv: at(uv),
    canary: CANARY,
    machine: network.machine,
    targets: WORLD.map((address) => [address, 80] as const),
  };
  const variables = Object.entries({ ...network.variables, HOME: own, PATH: process.env['PATH'] ?? '', ...certificates() }).map(
    ([name, value]) => `${name}=${value}`,
  );
  const program = [
    'env',
    '-i',
    ...variables,
    at(process.execPath),
    '--disable-warning=ExperimentalWarning',
    at(join(import.meta.dirname, 'body.ts')),
    JSON.stringify(order),
  ];
  const [command = '', ...args] = [...network.onMachine, ...(nobody ? asNobody([[tun, '/dev/net/tun']]) : []), ...program];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], cwd: '/', timeout: 540_000 });
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  const line = out.split('\n').find((each) => each.startsWith('SEEN'));
  assert.ok(line, `as ${who}: ${err.slice(-3000)}`);
  return JSON.parse(line.slice('SEEN'.length)) as Seen;
}

function certificates(): Record<string, string> {
  const file = process.env['SSL_CERT_FILE'];
  return file === undefined ? {} : { SSL_CERT_FILE: file };
}

const isRuntime = (at: string, source: string): boolean => /\/cache\/tools\/server-[0-9a-f]{16}\/prefix$/.test(at) && source.endsWith(at);

/** Every wall, as seen from inside. */
function walls(probe: () => Probe, whole: () => Seen, place: 'session' | 'build', root: boolean): void {
  const others = (): [string, Probe['processes'][string]][] => Object.entries(probe().processes);

  test('it runs as a user of its own, in no group, without any capability, and can gain none', () => {
    const { user, capabilities, noNewPrivs, seccomp } = probe();
    assert.equal(new Set([...user.uid, ...user.gid]).size, 1);
    assert.ok((user.uid[0] ?? 0) >= 1000);
    if (root) assert.notEqual(whole().session.user.uid[0], whole().build.user.uid[0]);
    assert.deepEqual(user.groups, []);
    for (const [name, set] of Object.entries(capabilities)) assert.match(set, /^0+$/, name);
    assert.deepEqual([noNewPrivs, seccomp], ['1', '2']);
  });

  test('no file of the machine, of the hub, of another session or of the store can be read', () => {
    const runtime = probe().mounts.find(({ at, root: source }) => isRuntime(at, source))?.at;
    for (const [path, result] of Object.entries(probe().read)) {
      // The notebook server's files lie where they lie outside: of the folders on the way there is nothing but the way.
      if (Array.isArray(result) && result.length === 1 && runtime?.startsWith(`${path}/${String(result[0])}/`)) continue;
      if (path === '/root' && Array.isArray(result))
        assert.ok(
          result.every((name) => name === '.pyenv' || name === '.local'),
          `${path} shows ${String(result)}`,
        );
      else assert.match(String(result), /^(ENOENT|EACCES)$/, path);
    }
    assert.deepEqual(probe().found, []);
  });

  test('only what belongs to it is mounted, and no mount honours set-user-id bits or devices', () => {
    const allowed =
      /^\/($|usr$|proc($|\/)|dev($|\/(null|zero|full|random|urandom|tty|pts|shm|console)$)|tmp$|etc\/|opt\/bindery\/|run\/bindery\/|srv\/conda\/envs\/notebook$|home\/jovyan$)/;
    const writable = new Set([
      '/proc',
      '/tmp',
      '/dev/pts',
      '/dev/shm',
      '/srv/conda/envs/notebook',
      '/home/jovyan',
      place === 'build' ? '/run/bindery/cache' : '/run/bindery/kernels',
    ]);
    for (const { at, options, root: source } of probe().mounts) {
      const interpreter = at === source && /python|pyenv|\/usr\/local/.test(at);
      assert.ok(allowed.test(at) || interpreter || isRuntime(at, source), `${at} is mounted`);
      assert.ok(options.includes('nosuid'), `${at} honours set-user-id bits`);
      if (!at.startsWith('/dev/')) assert.ok(options.includes('nodev'), `${at} may hold devices`);
      if (!writable.has(at) && !/^\/dev\/(null|zero|full|random|urandom|tty|console)$/.test(at))
        assert.ok(options.includes('ro'), `${at} can be written to`);
    }
  });

  test('it can write to its own folders only, and those in memory are bounded', () => {
    const expected = [
      '/home/jovyan',
      '/tmp',
      '/dev/shm',
      '/dev/pts',
      '/srv/conda/envs/notebook', // no file can be made in /dev/pts
      place === 'build' ? '/run/bindery/cache' : '/run/bindery/kernels',
    ];
    for (const [path, bytes] of Object.entries(probe().writable)) {
      assert.ok(expected.includes(path), `${path} can be written to`);
      if (path === '/tmp' || path === '/dev/shm') assert.ok(bytes <= 4 * 2 ** 30, `${path} holds ${bytes} bytes`);
    }
    assert.ok('/home/jovyan' in probe().writable && '/srv/conda/envs/notebook' in probe().writable);
  });

  test('no way of writing changes what is shared with it', () => {
    for (const [path, ways] of Object.entries(probe().changes))
      for (const [way, result] of Object.entries(ways)) assert.match(result, ERRORS, `${way} of ${path}`);
  });

  test('only its own processes are there', () => {
    assert.ok(probe().pids.length < 20, `${probe().pids.length} processes`);
    assert.ok(Math.max(...probe().pids) < 1000, 'numbers of a namespace of its own');
    const names = others().map(([, { name }]) => name);
    for (const name of names) assert.match(name, /^(bwrap|cat|jupyter-lab|python[\d.]*|sh|postBuild|start|iou-.*)$/);
  });

  test("no process's environment, command line or memory gives the machine's secrets away", () => {
    assert.equal(probe().environment, false);
    for (const [pid, { argv, environ, mem }] of others()) {
      assert.equal(argv, false, `command line of ${pid}`);
      assert.ok(environ === false || ERRORS.test(String(environ)), `environment of ${pid}: ${environ}`);
      assert.ok(mem === false || ERRORS.test(String(mem)), `memory of ${pid}: ${mem}`);
    }
  });

  test('no process holds a file or folder of the machine open', () => {
    for (const [pid, { fds, root: rootFolder, cwd }] of others()) {
      for (const target of typeof fds === 'string' ? [] : fds)
        assert.match(
          target,
          /^(\/dev\/(null|ptmx|pts\/\d+)|\/home\/jovyan\/|\/tmp\/|\/dev\/shm\/|pipe:|socket:|anon_inode:|\/memfd:|ENOENT)/,
          `open in ${pid}`,
        );
      assert.ok(rootFolder === true || rootFolder === 'EACCES', `root of ${pid}`);
      assert.match(cwd, /^(\/home\/jovyan|\/|\/tmp|EACCES)/);
    }
  });

  test('no signal reaches the machine', () => {
    for (const [pid, result] of Object.entries(probe().signals)) assert.equal(result, 'ESRCH', `signal to ${pid}`);
  });

  test('no namespace can be made or entered', () => {
    const { tool, clone3, ...ways } = probe().namespaces;
    assert.equal(tool, true, 'unshare fails');
    assert.equal(clone3, 'ENOSYS');
    for (const [way, result] of Object.entries(ways)) assert.match(String(result), /^(EPERM|EACCES)$/, way);
  });

  test('system calls for breaking out are refused', () => {
    for (const [name, result] of Object.entries(probe().calls)) assert.equal(result, 'EPERM', name);
  });

  test("the kernel's settings and secrets in /proc are closed", () => {
    const { read, write, hostname, cgroup } = probe().proc;
    for (const name of ['kcore', 'kmsg', 'sysrq-trigger', '1/root/etc/shadow']) assert.match(read[name] ?? '', ERRORS, name);
    for (const [name, result] of Object.entries(write)) assert.match(result, ERRORS, name);
    assert.equal(probe().proc['lower score'], 'EACCES');
    assert.equal(hostname, 'bindery');
    assert.doesNotMatch(cgroup, /bindery-/, 'control groups are seen from inside');
  });

  test('devices are the harmless ones, and none can be made', () => {
    assert.deepEqual(probe().devices.names, [
      'core',
      'fd',
      'full',
      'null',
      'ptmx',
      'pts',
      'random',
      'shm',
      'stderr',
      'stdin',
      'stdout',
      'tty',
      'urandom',
      'zero',
    ]);
    assert.equal(probe().devices.make, 'EPERM');
    assert.deepEqual(probe().devices.terminals, ['ptmx']);
    assert.match(probe().devices.fill, ERRORS, '/dev is no place to write to');
  });

  test('set-user-id programs give nothing', () => {
    assert.deepEqual({ ...probe().setuid, found: 0 }, { found: 0, root: false, own: true });
  });

  test('it has no network of its own: nothing is reached directly, not even a name server', () => {
    const { direct, names, udp, raw, packet, vsock, interfaces, address } = probe().network;
    for (const [target, result] of Object.entries(direct)) assert.match(result, /^(ENETUNREACH|ECONNREFUSED|EADDRNOTAVAIL)$/, target);
    assert.match(names['pypi.org'] ?? '', /resolution|not known/);
    assert.deepEqual({ udp, raw, packet, vsock }, { udp: 'ENETUNREACH', raw: 'EPERM', packet: 'EAFNOSUPPORT', vsock: 'EAFNOSUPPORT' });
    assert.deepEqual(interfaces, ['lo']);
    assert.equal(address, true, 'no address can be added');
  });

  test('sockets of the machine and of other sessions are out of reach, abstract ones too', () => {
    assert.equal(probe().network.abstract, 'ECONNREFUSED');
    for (const [path, result] of Object.entries(probe().network.sockets)) assert.equal(result, 'ENOENT', path);
  });

  test('the proxy leads to public addresses, by HTTP and by CONNECT', () => {
    assert.equal(probe().network.proxied[`${PUBLIC}:80`], `reached ${PUBLIC}`);
    assert.match(probe().network.tunnelled[`${PUBLIC}:80`] ?? '', new RegExp(`reached ${PUBLIC}$`));
  });

  test('the proxy leads to no private and no metadata address', () => {
    for (const [address, why] of Object.entries(CLOSED))
      for (const way of ['proxied', 'tunnelled'] as const)
        assert.equal(probe().network[way][`${address}:80`], `403 ${address} ${why}`, way);
  });

  test('the proxy does not lead to the machine itself, by whatever address', () => {
    const { port } = whole().own;
    for (const host of ['127.0.0.1', '::1', '0.0.0.0', 'localhost', '81.2.69.2'])
      assert.equal(probe().network.tunnelled[`${host}:${port}`], `403 ${host} is the hub's own machine`);
  });

  test('no core file is written, and no file larger than the disk limit', () => {
    assert.equal(probe().limits['RLIMIT_CORE'], 0);
    assert.ok((probe().limits['RLIMIT_FSIZE'] ?? -1) > 0);
  });
}

/** What the machine sees, before and after. */
function machine(seen: () => Seen, root: boolean): void {
  test('every process of a session is without rights and behind the filter', () => {
    const insiders = seen().host.filter(({ kernel, server }) => kernel || server);
    assert.ok(insiders.some(({ kernel }) => kernel) && insiders.some(({ server }) => server));
    for (const { uid, capabilities, noNewPrivs, seccomp } of insiders) {
      assert.match(capabilities, /^0+$/);
      assert.deepEqual([noNewPrivs, seccomp], ['1', '2']);
      assert.ok(root ? uid > 100_000 : uid === NOBODY);
    }
  });

  test('the server, forked outside, is in every namespace of its sandbox', () => {
    const allowed = ['time', 'time_for_children', ...(root ? ['user'] : [])];
    const servers = seen().host.filter(({ server }) => server);
    assert.ok(servers.length > 0);
    for (const { shared } of servers)
      assert.deepEqual(
        shared.filter((kind) => !allowed.includes(kind)),
        [],
      );
  });

  test("no command line and no environment holds the server's token", () => {
    assert.ok(seen().host.every(({ token }) => !token));
    assert.equal(seen().kernel.token, false);
  });

  test('a kernel has pipes, sockets and its own files open, nothing else', () => {
    for (const [fd, target] of Object.entries(seen().kernel.fds))
      assert.match(target, /^(pipe:|socket:|anon_inode:|\/dev\/null|\/home\/jovyan\/\.ipython\/)/, `descriptor ${fd}`);
  });

  test('packages can be changed from inside, in every way; the store that environments share stays as it was, and no link leads out', () => {
    const [link, changed] = seen().changes.trim().split('\n').slice(-2);
    assert.match(link ?? '', /cross-device|not permitted|linked/);
    const [, done, all] = /^changed (\d+) of (\d+)$/.exec(changed ?? '') ?? [];
    assert.ok(Number(done) > 10 && done === all, seen().changes);
    assert.equal(seen().storeUnchanged, true);
  });

  test('an open network leads everywhere but to this machine and to metadata services; where it cannot be had, no session starts', () => {
    const { open } = seen();
    if ('problem' in open) return assert.match(open.problem, /^The open network needs /);
    assert.equal(open.reached[PUBLIC], `reached ${PUBLIC}`);
    assert.equal(open.reached['10.20.30.40'], 'reached 10.20.30.40');
    for (const host of ['169.254.169.254', '168.63.129.16', 'fd00:ec2::254', '10.0.2.2', '127.0.0.1', '81.2.69.2'])
      assert.match(open.reached[host] ?? '', /^no: /, host);
    assert.equal(open.change, true, 'neither rules nor addresses can be changed');
  });

  test('links that a session leaves behind are not followed when it is saved and removed', () => {
    assert.deepEqual(seen().secrets, [true, true, true]);
    assert.equal(seen().openMode, 0o755);
    assert.equal(seen().savedCanary, '0');
    assert.match(seen().saved, /to-file -> /);
    assert.equal(seen().folderGone, true);
  });
}
