// The hub's part of the boundary suite, run as one user in one network: `body.ts ORDER`. Prints what it and the probes saw as one JSON line.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { spawn, spawnSync } from 'node:child_process';
import { randomId } from '@bindery/wire/ids.ts';
import { ConfigSchema } from '../../packages/bindery/src/base/config.ts';
import type { Session } from '../../packages/bindery/src/contracts/engine.ts';
import { assemble, type Assembly } from '../../packages/bindery/src/hub/assemble.ts';
import { readLink } from '../../packages/bindery/src/link/link.ts';
import { runInKernel } from './kernel.ts';
import type { BodyOrder, Probe, Seen } from './seen.ts';

const order = JSON.parse(process.argv[2] ?? '') as BodyOrder;
const config = ConfigSchema.parse({
  folders: { state: join(order.home, 'state'), cache: join(order.home, 'cache') },
  hub: { log: 'warn' },
  python: { uv: order.uv },
});
const PROBE = join(import.meta.dirname, 'probe');

/** A folder as a repository. */
function repository(name: string, files: Readonly<Record<string, string>>): string {
  const folder = join(order.home, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [path, text] of Object.entries(files)) writeFileSync(join(folder, path), text);
  const git = (...words: string[]): void => {
    const result = spawnSync('git', ['-C', folder, '-c', 'user.name=a', '-c', 'user.email=a@b', ...words], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] },
    });
    if (result.status !== 0) throw new Error(`git ${words.join(' ')}: ${result.stderr}`);
  };
  git('init', '--quiet');
  git('add', '--all');
  git('commit', '--quiet', '-m', 'a');
  return folder;
}

async function launch({ shared, pipeline }: Assembly, folder: string): Promise<Session> {
  const request = {
    launchId: randomId(),
    sessionId: randomId(),
    link: readLink(folder, {}),
    options: {},
    env: { BINDER_ODD: '{no.such}' },
  };
  const log: string[] = [];
  const ctx = { ...shared, signal: AbortSignal.timeout(300_000), emit: (event: { message: string }) => void log.push(event.message) };
  try {
    const { session } = (await pipeline.launch(request, ctx)) as { session: Session };
    return session;
  } catch (error) {
    console.error(log.slice(-30).join('\n'));
    throw error;
  }
}

/** Name, kind, rights, owner, size and time of everything below some folders, and the content of the files that are tampered with, in one digest. */
function digest(folders: readonly string[]): string {
  const hash = createHash('sha256');
  for (const root of folders) {
    for (const entry of readdirSync(root, { recursive: true, withFileTypes: true }).toSorted((a, b) =>
      join(a.parentPath, a.name) < join(b.parentPath, b.name) ? -1 : 1,
    )) {
      const path = join(entry.parentPath, entry.name);
      const { mode, uid, size, mtimeMs, nlink } = lstatSync(path);
      if (entry.isDirectory()) hash.update(`${path} ${mode} ${uid}\n`);
      else hash.update(`${path} ${mode} ${uid} ${size} ${mtimeMs} ${nlink}\n`);
      if (entry.isFile() && path.includes('/pygments/styles/')) hash.update(readFileSync(path));
    }
  }
  return hash.digest('hex');
}

/** What a stranger would like to find: services, files and processes of this machine. */
async function bait(canary: string): Promise<{ port: number; sockets: string[]; abstract: string; pids: number[]; close: () => void }> {
  const answer = (): string => `${canary} ${process.pid}`;
  const web = createHttp((_, response) => response.end(answer()));
  await once(web.listen(0, '::'), 'listening');
  const path = join(config.folders.state, 'hub.sock');
  rmSync(path, { force: true });
  const abstract = `bindery-${process.pid}`;
  const servers = [path, `\0${abstract}`].map((name) => createServer((socket) => socket.end(answer())).listen(name));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  chmodSync(path, 0o777);
  writeFileSync(join(config.folders.state, 'hub.key'), canary, { mode: 0o600 });
  for (const folder of [order.home, join(order.home, 'open')]) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'secret.txt'), canary, { mode: 0o644 });
  }
  const child = spawn('sleep', ['600'], { env: { SECRET: canary }, stdio: 'ignore' });
  return {
    port: (web.address() as AddressInfo).port,
    sockets: [path],
    abstract,
    pids: [process.pid, child.pid ?? 0],
    close: () => {
      child.kill('SIGKILL');
      for (const server of [web, ...servers]) server.close();
    },
  };
}

async function probeAll(): Promise<Seen> {
  const assembly = await assemble(config, (text) => console.error(text));
  const { engine } = assembly.shared;
  const found = await bait(order.canary);
  const other = await launch(assembly, repository('plain', { 'requirements.txt': '' }));
  const stay = `import os, subprocess; open("secret.txt", "w").write("${order.canary}"); p = subprocess.Popen(["sleep", "600"], env={"SECRET": "${order.canary}"}); print(p.pid)`;
  await runInKernel(other.address, stay);
  const store = ['environments', 'tools', 'bytecode', 'uv-cache'].map((name) => join(config.folders.cache, name));
  const own = { home: order.home, pid: process.pid, port: found.port };
  const outside = [
    '/etc/shadow',
    '/root',
    '/sys/kernel',
    order.home,
    config.folders.state,
    join(config.folders.state, 'hub.key'),
    join(order.home, 'open/secret.txt'),
    other.address.socketPath,
    join(config.folders.state, 'sessions'),
    `/proc/${process.pid}/environ`,
    `/proc/1/root${order.home}/secret.txt`,
    '/proc/self/root/../../etc/shadow',
    '/proc/1/cwd/secret.txt',
    ...store,
  ];
  const probeOrder = {
    canary: order.canary.split('').toReversed().join(''),
    read: outside,
    write: [
      '/opt/bindery/runtime/serve.py',
      '/opt/bindery/forward.py',
      '/run/bindery/egress',
      '/run/bindery/egress/egress.sock',
      '/run/bindery/tree/probe.py',
      '/etc/passwd',
      '/etc/hosts',
      '/usr/bin/env',
    ],
    pids: found.pids,
    targets: [
      ...order.targets,
      ['127.0.0.1', found.port],
      ['::1', found.port],
      [order.machine, found.port],
      ['0.0.0.0', found.port],
      ['localhost', found.port],
    ],
    names: ['pypi.org', 'localhost'],
    abstract: found.abstract,
    sockets: [...found.sockets, other.address.socketPath, '/run/dbus/system_bus_socket', '/var/run/docker.sock', '/run/systemd/private'],
  };
  const file = (name: string): string => readFileSync(join(PROBE, name), 'utf8');
  const folder = repository('probing', {
    'requirements.txt': '',
    'order.json': JSON.stringify(probeOrder),
    postBuild: file('postBuild'),
    'probe.py': file('probe.py'),
  });
  const session = await launch(assembly, folder);
  const before = digest(store);
  const text = await runInKernel(
    session.address,
    'import subprocess, sys; print(subprocess.run([sys.executable, "probe.py", "order.json"], stdout=subprocess.PIPE, text=True).stdout)',
  );
  const built = await runInKernel(session.address, 'print(open("build-probe.txt").read())');
  const kernel = await runInKernel(
    session.address,
    `
import os, json
print("PROBE" + json.dumps({"fds": {fd: os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if os.path.lexists(f"/proc/self/fd/{fd}")}, "argv": open("/proc/self/cmdline").read(), "token": "${session.address.token}" in json.dumps(dict(os.environ)) }))`,
  );
  const changes = await runInKernel(session.address, TAMPER);
  const session1 = parse(text) as Probe;
  const host = hostView(session, process.getuid?.() === 0 ? (session1.user.uid[0] ?? 0) : (process.getuid?.() ?? 0));
  await runInKernel(session.address, tricks(order.home));
  await engine.launcher.stop(session.id, 'stopped', 1000);
  const saved = await engine.saved(session.id);
  const after = digest(store);
  const result: Omit<Seen, 'open'> = {
    own,
    session: session1,
    build: parse(built) as Probe,
    kernel: parse(kernel) as Seen['kernel'],
    host,
    changes,
    storeUnchanged: before === after,
    secrets: [join(order.home, 'open/secret.txt'), join(order.home, 'secret.txt'), join(config.folders.state, 'hub.key')].map(
      (path) => existsSync(path) && readFileSync(path, 'utf8') === order.canary,
    ),
    openMode: lstatSync(join(order.home, 'open')).mode & 0o777,
    saved: saved ? spawnSync('tar', ['-tvzf', saved.path], { encoding: 'utf8' }).stdout : '',
    savedCanary: saved
      ? spawnSync('sh', ['-c', 'zcat -- "$0" | grep -c -a -- "$1"', saved.path, order.canary], { encoding: 'utf8' }).stdout.trim()
      : '0',
    folderGone: !existsSync(join(config.folders.state, 'sessions', session.id, 'home')),
  };
  await engine.launcher.stop(other.id, 'stopped', 1000);
  await engine.close();
  const open = await openSession(found.port);
  found.close();
  return { ...result, open };
}

/** A session whose network is open: what it reaches, or why it does not start. */
async function openSession(port: number): Promise<Seen['open']> {
  const assembly = await assemble({ ...config, session: { ...config.session, network: 'open' } }, (text) => console.error(text));
  try {
    const session = await launch(assembly, join(order.home, 'plain'));
    const targets = [...order.targets, ['10.0.2.2', port], ['127.0.0.1', port], [order.machine, port]];
    const printed = await runInKernel(
      session.address,
      `
import json, os, urllib.request
result = {}
for host, port in ${JSON.stringify(targets)}:
  try: result[host] = urllib.request.urlopen(f"http://{host if ':' not in host else '[' + host + ']'}:{port}/", timeout=5).read().decode()
  except Exception as e: result[host] = "no: " + str(getattr(e, "reason", e))
print("PROBE" + json.dumps({"reached": result, "change": os.system("nft flush ruleset 2>/dev/null || ip addr add 10.9.9.9/32 dev lo 2>/dev/null") != 0}))`,
    );
    await assembly.shared.engine.launcher.stop(session.id, 'stopped', 1000);
    return parse(printed) as Seen['open'];
  } catch (error) {
    return { problem: (error as Error).message };
  } finally {
    await assembly.shared.engine.close();
  }
}

/** Changes the environment from within in every way that could reach files that others share by hard link. */
const TAMPER = `
import os, sys, json, stat
site = [path for path in sys.path if path.endswith("site-packages")][0]
victims = []
for folder, _, names in os.walk(os.path.join(site, "pygments", "styles")):
  for name in names:
    path = os.path.join(folder, name)
    if name.endswith((".py", ".pyc")): victims.append(path)
ways = [lambda p: open(p, "ab").write(b"#x"), lambda p: os.chmod(p, 0o777), lambda p: os.truncate(p, 0), lambda p: os.utime(p, (1, 1)), lambda p: os.unlink(p)]
done = 0
for number, path in enumerate(victims[1:]):
  try: ways[number % len(ways)](path); done += 1
  except OSError as e: print(e)
link = os.path.join(os.environ["HOME"], "link.py")
try: os.link(victims[0], link); open(link, "ab").write(b"#x"); print("linked")
except OSError as e: print(e.strerror)
print("changed", done, "of", len(victims) - 1)
`;

/** Leaves links and closed folders that whoever saves and removes the session's folder must not follow or trip over. */
function tricks(home: string): string {
  return `
import os, shutil
os.chdir(os.environ["HOME"])
os.symlink("${home}/open", "to-folder"); os.symlink("${home}/open/secret.txt", "to-file"); os.symlink("/etc/shadow", "to-shadow")
os.makedirs("closed/deep"); os.symlink("${home}/open", "closed/deep/link"); open("closed/deep/file", "w").close()
os.symlink("${home}/secret.txt", "closed/secret"); os.chmod("closed/deep", 0); os.chmod("closed", 0)
open("requirements.txt", "w").write("changed"); os.mkfifo("pipe")
shutil.rmtree(".git/hooks", ignore_errors=True); os.makedirs(".git/hooks", exist_ok=True)
open(".git/config", "a").write('\\n[core]\\n\\tfsmonitor = "cp ${home}/open/secret.txt stolen; true"\\n\\tsshCommand = false\\n[filter "x"]\\n\\tclean = "cat ${home}/open/secret.txt"\\n')
open(".gitattributes", "w").write("* filter=x\\n")
`;
}

const namespace = (process: string, kind: string): string => readlinkSync(`/proc/${process}/ns/${kind}`);

/** What this machine sees of the session's processes. */
function hostView(session: Session, uid: number): Seen['host'] {
  const result: Seen['host'] = [];
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    try {
      const argv = readFileSync(`/proc/${name}/cmdline`, 'utf8');
      const server = readFileSync(`/proc/${name}/comm`, 'utf8') === 'jupyter-lab\n';
      if (!server && !argv.includes('ipykernel_launcher') && !argv.includes(session.id)) continue;
      const status = readFileSync(`/proc/${name}/status`, 'utf8');
      const field = (key: string): string => new RegExp(`^${key}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';
      if ((server || argv.includes('ipykernel_launcher')) && Number(field('Uid').split('\t')[0]) !== uid) continue;
      result.push({
        kernel: argv.includes('ipykernel_launcher'),
        server,
        shared: server ? readdirSync('/proc/self/ns').filter((kind) => namespace(name, kind) === namespace('self', kind)) : [],
        uid: Number(field('Uid').split('\t')[0]),
        capabilities: field('CapEff'),
        noNewPrivs: field('NoNewPrivs'),
        seccomp: field('Seccomp'),
        token: argv.includes(session.address.token),
      });
    } catch {
      continue;
    }
  }
  return result;
}

function parse(text: string): unknown {
  const line = text.split('\n').find((each) => each.startsWith('PROBE'));
  if (!line) throw new Error(`no probe in: ${text.slice(0, 2000)}`);
  return JSON.parse(line.slice('PROBE'.length));
}

console.log(`SEEN${JSON.stringify(await probeAll())}`);
process.exit(0);
