import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { text } from 'node:stream/consumers';
import { canMakeNetworks, makeNetwork, type Network } from '../../../../../../test/fakes/network.ts';
import { openNetworkProblem, rules } from './open.ts';

const problem = canMakeNetworks() ? await openNetworkProblem() : 'Namespaces cannot be made here.';
const WORLD = ['93.184.216.34/32', '10.20.30.40/32', '169.254.169.254/32', '168.63.129.16/32', '100.100.100.200/32'];

test('the rules close this machine and the metadata services, of both families, and leave the name server', () => {
  const text = rules(['192.0.2.2', 'fd00::2']);
  for (const line of [
    'ip daddr 169.254.169.254/32 reject',
    'ip daddr 192.0.2.2 reject',
    'ip6 daddr fd00::2 reject',
    'ip6 daddr fd00:ec2::/32 reject',
    'ip6 daddr fe80::/10 reject',
  ])
    assert.ok(text.includes(`\n${line}\n`), line);
  assert.ok(text.indexOf('10.0.2.3') < text.indexOf('10.0.2.0/24'));
});

/**
 * Runs on the stand-in machine: starts a sandbox (whose namespace is made as `before` says), opens its network, tries the
 * targets from inside, and prints what came of it. With a loopback server of the machine's own to be missed.
 */
const BODY = `
import { createServer } from 'node:http';
import { spawn } from 'node:child_process';
import { readFileSync, existsSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { openNetwork } from ${JSON.stringify(new URL('./open.ts', import.meta.url).href)};
const { argv, name, targets, close } = JSON.parse(process.argv[1]);
const server = createServer((_, r) => r.end('the machine itself')).listen(8080, '::');
const child = spawn(argv[0], argv.slice(1), { stdio: ['pipe', 'pipe', 'inherit'] });
const inside = (pid) => readFileSync('/proc/' + pid + '/comm', 'utf8').trim() === name;
while (!inside(child.pid)) await new Promise(setImmediate);
const { promise, resolve } = Promise.withResolvers();
child.stdout.once('data', resolve);
await promise; // the program in the sandbox runs, and waits
const kids = (pid) => readFileSync('/proc/' + pid + '/task/' + pid + '/children', 'utf8').trim().split(' ').filter(Boolean).map(Number);
const deepest = (pid) => kids(pid).length ? deepest(kids(pid)[0]) : pid;
const pid = process.getuid() === 0 ? deepest(child.pid) : child.pid;
const network = await openNetwork(pid);
child.stdin.end(JSON.stringify(targets) + '\\n');
const out = await text(child.stdout);
if (close) await network.close();
server.close();
console.log(JSON.stringify({ pid, result: JSON.parse(out) }));
process.exit();
`;
/** Runs in the sandbox: the first line of its input says whom to try. */
const PROBE = `
import json, subprocess, sys, urllib.request, socket
print("ready", flush=True)
result = {}
for target in json.loads(sys.stdin.readline()):
  try: result[target] = urllib.request.urlopen("http://" + target + "/", timeout=4).read().decode()
  except Exception as e: result[target] = str(getattr(e, "reason", e))
def quiet(*argv):
  return subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
result["flush"] = quiet("/usr/sbin/nft", "flush", "ruleset")
result["route"] = quiet("/usr/sbin/ip", "addr", "add", "10.9.9.9/32", "dev", "lo")
print(json.dumps(result))
`;

describe('open network', { skip: problem ?? false }, () => {
  let network: Network;
  let folder: string;
  before(async () => {
    network = await makeNetwork(WORLD);
    folder = mkdtempSync(join(tmpdir(), 'open-'));
    spawnSync('mknod', ['-m', '666', join(folder, 'tun'), 'c', '10', '200']);
  });
  after(async () => {
    await network.close();
    rmSync(folder, { recursive: true });
  });

  const SANDBOX =
    '--unshare-pid --unshare-ipc --cap-drop ALL --ro-bind /usr /usr --symlink usr/lib /lib --symlink usr/lib64 /lib64 --symlink usr/bin /bin --proc /proc --dev /dev --die-with-parent'.split(
      ' ',
    );
  const program = ['--', '/usr/bin/python3', '-I', '-c', PROBE];
  const users: [string, string, string[], string[]][] = [
    ['root', 'bwrap', ['bwrap', '--unshare-net', ...SANDBOX, ...program], []],
    [
      'an unprivileged user',
      'bwrap',
      [
        'unshare',
        '--user',
        '--map-root-user',
        '--net',
        '--',
        'bwrap',
        '--unshare-user',
        '--disable-userns',
        '--uid',
        '1000',
        '--gid',
        '1000',
        ...SANDBOX,
        ...program,
      ],
      ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'],
    ],
  ];
  for (const [who, name, argv, as] of users) {
    test(`as ${who}: the internet and private networks are there; this machine and the metadata services are not`, async () => {
      const targets = [
        '93.184.216.34',
        '10.20.30.40',
        '169.254.169.254',
        '168.63.129.16',
        '100.100.100.200',
        '10.0.2.2:8080',
        '127.0.0.1:8080',
        `${network.machine}:8080`,
        '[fd77::2]:8080',
      ];
      const tun = ['unshare', '--mount', '--', 'sh', '-c', 'mount --bind "$0" /dev/net/tun && exec "$@"', join(folder, 'tun')];
      const [command, ...args] = [
        ...network.onMachine,
        ...tun,
        ...as,
        process.execPath,
        '--input-type=module',
        '-e',
        BODY,
        JSON.stringify({ argv, name, targets, close: as.length > 0 }),
      ];
      const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000, cwd: '/' });
      const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
      assert.ok(out.includes('{'), err);
      const { pid, result } = JSON.parse(out) as { pid: number; result: Record<string, unknown> };
      const refused = '[Errno 111] Connection refused';
      assert.deepEqual(
        { ...result, '[fd77::2]:8080': String(result['[fd77::2]:8080']).slice(0, 7) },
        {
          '93.184.216.34': 'reached 93.184.216.34',
          '10.20.30.40': 'reached 10.20.30.40',
          '169.254.169.254': refused,
          '168.63.129.16': refused,
          '100.100.100.200': refused,
          '10.0.2.2:8080': refused,
          '127.0.0.1:8080': refused,
          [`${network.machine}:8080`]: refused,
          '[fd77::2]:8080': '[Errno ',
          flush: false,
          route: false,
        },
      );
      const deadline = Date.now() + 10_000; // root's is not closed: the helper ends by itself when the sandbox has
      const left = (): string => spawnSync('pgrep', ['-f', `^slirp4netns .* ${pid} tap0$`], { encoding: 'utf8' }).stdout;
      while (left() !== '' && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(left(), '');
    });
  }
});
