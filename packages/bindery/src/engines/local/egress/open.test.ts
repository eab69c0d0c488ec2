import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { text } from 'node:stream/consumers';
import { canMakeNetworks, makeNetwork, type Network } from '../../../../../../test/fakes/network.ts';
import { asNobody, shown } from '../../../../../../test/fakes/unprivileged.ts';
import { RUNTIME, writeIdentity } from '../place.ts';
import { sandboxArgv } from '../sandbox.ts';
import { openNetworkOrder, openNetworkProblem, rules } from './open.ts';

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
 * Runs on the stand-in machine, as a session's supervisor does: starts a sandbox, opens its network, then lets it go on; prints
 * what its program prints. With a server of the machine's own to be missed. With `keep` the network is left to end by itself.
 */
const DRIVER = `
import http.server, json, os, socket, subprocess, sys, threading
order = json.loads(sys.argv[1])
sys.path.insert(0, order["runtime"])
from mounts import filled
from network import open_network, sandbox_pid
class Server(http.server.ThreadingHTTPServer): address_family = socket.AF_INET6
threading.Thread(target=Server(("::", 8080), http.server.SimpleHTTPRequestHandler).serve_forever, daemon=True).start()
info, info_write = os.pipe(); block, go = os.pipe()
child = subprocess.Popen(filled(order["argv"], {"info": info_write, "block": block}), stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=(info_write, block))
os.close(info_write); os.close(block)
first = sandbox_pid(info)
pid = child.pid if order["own"] else first
network = open_network(order["network"], pid)
os.write(go, b"1")
out, _ = child.communicate(json.dumps(order["targets"]).encode() + b"\\n")
if not order["keep"]: os.close(network)
print(json.dumps({"pid": pid, "result": json.loads(out.decode())}), flush=True)
os._exit(0)
`;
/** Runs in the sandbox: the first line of its input says whom to try. */
const PROBE = `
import json, subprocess, sys, urllib.request, socket
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
    chmodSync(folder, 0o755);
    spawnSync('mknod', ['-m', '666', join(folder, 'tun'), 'c', '10', '200']);
  });
  after(async () => {
    await network.close();
    rmSync(folder, { recursive: true });
  });

  for (const who of ['root', 'nobody']) {
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
      const root = who === 'root';
      const uid = root ? 200_000 : undefined;
      const argv = sandboxArgv({
        uid,
        network: 'open',
        read: [],
        write: [],
        links: [],
        env: {},
        cwd: '/',
        identity: await writeIdentity(folder, uid),
        shmBytes: 2 ** 20,
        tmpBytes: 2 ** 20,
        seccomp: false,
        info: true,
        command: ['/usr/bin/python3', '-I', '-c', PROBE],
      });
      const carried = { ...openNetworkOrder(!root), rules: rules([network.machine, 'fd77::2']) };
      const order = { argv, own: !root, network: carried, targets, keep: root, runtime: root ? RUNTIME : shown(RUNTIME) };
      const lowered = root ? [] : asNobody([[join(folder, 'tun'), '/dev/net/tun']]);
      const [command, ...args] = [...network.onMachine, ...lowered, '/usr/bin/python3', '-c', DRIVER, JSON.stringify(order)];
      const child = spawn(command ?? '', args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000, cwd: '/' });
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
