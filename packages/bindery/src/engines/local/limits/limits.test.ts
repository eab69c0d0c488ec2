import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, afterEach, describe, test } from 'node:test';
import { ControlGroup } from './control-group.ts';
import { findV2 } from './cgroup-v2.ts';
import { parseMembership, parseMounts } from './hierarchy.ts';
import { detectLimits, type Group, type Limits } from './limits.ts';

const scope = `test-${process.pid}`;
const limits = await detectLimits({ scope });
const BOUNDS = { memory: 64 * 2 ** 20, cpus: 0.5, processes: 20 };

/** Runs Python in a group: it joins by itself, as a supervisor's child would. */
function inGroup(group: Group, code: string): ChildProcess {
  const join = `import os\nfor f in ${JSON.stringify(group.joinFiles)}: open(f, "w").write("0")\n`;
  return spawn('python3', ['-I', '-S', '-c', join + code], { stdio: ['pipe', 'pipe', 'inherit'] });
}

async function said(child: ChildProcess): Promise<{ code: number | null; signal: string | null; out: string }> {
  let out = '';
  child.stdout?.on('data', (data: Buffer) => (out += data.toString()));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { code, signal, out: out.trim() };
}

describe('control groups of this machine', { skip: limits.kind === 'none' ? limits.reason : false }, () => {
  let number = 0;
  const create = (): Promise<Group> => limits.create(`s-${number++}`, BOUNDS);
  after(async () => {
    const bases = (await limits.create('last', BOUNDS)).joinFiles.map((file) => dirname(dirname(file)));
    await limits.end('last');
    for (const base of bases) for (const own of [base, `${base}-b`]) if (existsSync(own)) rmdirSync(own);
  });
  afterEach(async () => {
    for (const name of await limits.list()) await limits.end(name);
  });

  test('memory above the limit ends the process, and the group says so', async () => {
    const group = await create();
    const { signal, out } = await said(inGroup(group, 'print("in", flush=True); b = bytearray(200 * 2**20); print("out")'));
    assert.equal(out, 'in');
    assert.equal(signal, 'SIGKILL');
    assert.equal((await limits.usage(group.name)).oomKills, 1);
    assert.match(readFileSync(group.oomEvents ?? '', 'utf8'), /^oom_kill 1$/m);
    assert.ok(Number(readFileSync(group.memoryUsage ?? '', 'utf8')) >= 0);
  });

  test('processes above the limit are refused', async () => {
    const group = await create();
    const code = `import time, signal
n = 0; pids = []
try:
  while n < 100:
    pid = os.fork()
    if pid == 0: time.sleep(60); os._exit(0)
    pids.append(pid); n += 1
except BlockingIOError: print(n)
for p in pids: os.kill(p, signal.SIGKILL)`;
    assert.equal((await said(inGroup(group, code))).out, String(BOUNDS.processes - 1));
  });

  test('what is used is told: memory without cache, processes, processor time', async () => {
    const group = await create();
    const child = inGroup(
      group,
      'import time, sys\nb = bytearray(b"x" * 20 * 2**20)\nwhile time.process_time() < 0.1: pass\nprint("ready", flush=True); sys.stdin.read()',
    );
    await once(child.stdout ?? child, 'data');
    const usage = await limits.usage(group.name);
    assert.ok(usage.memoryBytes > 20 * 2 ** 20 && usage.memoryBytes < BOUNDS.memory, `${usage.memoryBytes} bytes`);
    assert.equal(usage.processes, 1);
    assert.ok(usage.cpuSeconds >= 0.05 && usage.cpuSeconds < 10, `${usage.cpuSeconds} s`);
    child.kill('SIGKILL');
    await once(child, 'close');
  });

  test('processor time is shared out as bounded', async () => {
    const group = await create();
    const { out } = await said(
      inGroup(group, 'import time\na = time.monotonic()\nwhile time.process_time() < 0.4: pass\nprint(time.monotonic() - a)'),
    );
    assert.ok(Number(out) > 0.6, `0.4 s of processor time took ${out} s at half a processor`);
  });

  test('ending a group kills what is in it and removes it; groups left over are listed', async () => {
    const group = await create();
    const child = inGroup(group, 'import time\nif os.fork() == 0: os.setsid()\nprint("ready", flush=True); time.sleep(60)');
    await once(child.stdout ?? child, 'data');
    const later = await detectLimits({ scope });
    assert.deepEqual(await later.list(), [group.name]);
    await Promise.all([later.end(group.name), once(child, 'close')]);
    assert.deepEqual(await limits.list(), []);
    assert.ok(!existsSync(group.joinFiles[0] ?? ''));
    await limits.end(group.name);
  });

  test('a group may be created twice, with other bounds', async () => {
    const group = await create();
    await limits.create(group.name, { ...BOUNDS, memory: 128 * 2 ** 20 });
    await limits.create(group.name, BOUNDS);
    assert.equal((await limits.list()).length, 1);
  });

  test('another scope sees none of it, and a name cannot lead elsewhere', async () => {
    await create();
    assert.deepEqual(await (await detectLimits({ scope: `${scope}-b` })).list(), []);
    assert.throws(() => limits.end('../x'), /cannot name a control group/);
    await assert.rejects(detectLimits({ scope: '../x' }), /cannot name a control group/);
  });
});

test('without any control group there is a reason, and groups that bound nothing', async () => {
  const empty = await detectLimits({ scope, proc: '/nowhere' });
  assert.equal(empty.kind, 'none');
  assert.deepEqual(empty.enforced, { memory: false, cpus: false, processes: false });
  assert.match(empty.reason, /version 2 are not mounted/);
  assert.deepEqual((await empty.create('a', BOUNDS)).joinFiles, []);
});

test('the files of the kernel that tell of groups are read', () => {
  const mounts = parseMounts(
    `31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n35 31 0:31 /a /sys/fs/cgroup/cpu,cpuacct rw shared:4 - cgroup cgroup rw,cpu,cpuacct\n36 31 0:32 / /mnt/a\\040b rw - cgroup2 cgroup rw,nsdelegate\n`,
  );
  assert.deepEqual(
    mounts.map(({ version, point, root }) => [version, point, root]),
    [
      [1, '/sys/fs/cgroup/cpu,cpuacct', '/a'],
      [2, '/mnt/a b', '/'],
    ],
  );
  assert.ok(mounts[0]?.controllers.includes('cpuacct'));
  assert.deepEqual(
    [...parseMembership('5:cpu,cpuacct:/a:b\n1:name=systemd:/\n0::/user.slice\n')],
    [
      ['cpu', '/a:b'],
      ['cpuacct', '/a:b'],
      ['name=systemd', '/'],
      ['', '/user.slice'],
    ],
  );
});

describe('version 2, in a folder that stands in for the hierarchy', () => {
  const folders: string[] = [];
  after(() => folders.forEach((folder) => rmSync(folder, { recursive: true })));

  /** A delegated group `/own`, as the kernel would show it, and what the kernel tells of this process. */
  function tree(files: Record<string, string>, own = '/own'): { point: string; proc: string } {
    const point = mkdtempSync(join(tmpdir(), 'cgroup2-'));
    folders.push(point);
    const proc = join(point, 'proc');
    mkdirSync(join(proc, 'self'), { recursive: true });
    writeFileSync(join(proc, 'self/mountinfo'), `36 31 0:32 / ${point} rw - cgroup2 cgroup2 rw\n`);
    writeFileSync(join(proc, 'self/cgroup'), `0::${own}\n`);
    mkdirSync(join(point, own), { recursive: true });
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(point, name, '..'), { recursive: true });
      writeFileSync(join(point, name), text);
    }
    return { point, proc };
  }
  const detect = ({ proc }: { proc: string }): Promise<Limits> => detectLimits({ scope: 'x', proc });
  const GIVEN = { 'own/cgroup.controllers': 'cpu io memory pids\n', 'own/cgroup.subtree_control': '', 'own/cgroup.procs': '' };

  test('controllers are passed on to our folder and to the groups in it, and bounds are written', async () => {
    const { point, proc } = tree(GIVEN);
    const found = await detect({ proc });
    assert.equal(found.kind, 'v2');
    assert.deepEqual(found.enforced, { memory: true, cpus: true, processes: true });
    const base = join(point, 'own/bindery-x');
    const group = await found.create('s1', BOUNDS);
    assert.deepEqual(group, {
      name: 's1',
      joinFiles: [join(base, 's1/cgroup.procs')],
      memoryUsage: join(base, 's1/memory.current'),
      oomEvents: join(base, 's1/memory.events'),
    });
    const file = (name: string): string => readFileSync(join(base, 's1', name), 'utf8');
    assert.deepEqual(
      [file('memory.max'), file('memory.swap.max'), file('pids.max'), file('cpu.max')],
      ['67108864', '0', '20', '50000 100000'],
    );
    assert.deepEqual(await found.list(), ['s1']);
  });

  test('usage is read', async () => {
    const { point, proc } = tree(GIVEN);
    const found = await detect({ proc });
    await found.create('s1', BOUNDS);
    const files = {
      'memory.current': '5000\n',
      'memory.stat': 'anon 1\ninactive_file 2000\n',
      'memory.events': 'oom 4\noom_kill 3\n',
      'cpu.stat': 'usage_usec 1500000\n',
      'pids.current': '7\n',
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(join(point, 'own/bindery-x/s1', name), text);
    assert.deepEqual(await found.usage('s1'), { memoryBytes: 3000, cpuSeconds: 1.5, processes: 7, oomKills: 3 });
  });

  test('the hub and what started it move into a leaf; a hub that is in the leaf already is not moved again', async () => {
    const { point, proc } = tree({ ...GIVEN, 'own/cgroup.procs': `${process.pid}\n` });
    assert.equal((await detect({ proc })).kind, 'v2');
    assert.equal(readFileSync(join(point, 'own/bindery-hub/cgroup.procs'), 'utf8'), String(process.pid));
    writeFileSync(join(proc, 'self/cgroup'), '0::/own/bindery-hub\n');
    writeFileSync(join(point, 'own/cgroup.procs'), '');
    assert.equal((await detect({ proc })).kind, 'v2');
    assert.ok(!existsSync(join(point, 'own/bindery-hub/bindery-x')));
  });

  test('a group that holds other programs is left alone, with a hint', async () => {
    const { point, proc } = tree({ ...GIVEN, 'own/cgroup.procs': `${process.pid}\n1\n` });
    const found = await detect({ proc });
    assert.equal(found.kind, 'none');
    assert.match(found.reason, /holds other programs beside the hub\. Start the hub by `systemd-run --user/);
    assert.ok(!existsSync(join(point, 'own/bindery-hub')));
  });

  test('a hierarchy without memory and pids is no use', async () => {
    assert.match((await detect(tree({ 'own/cgroup.controllers': 'hugetlb\n' }))).reason, /offer neither memory nor pids/);
  });
});

const real = parseMounts(readFileSync('/proc/self/mountinfo', 'utf8')).find(({ version }) => version === 2);
test('a group of version 2 is killed as a whole and removed', { skip: !real || process.getuid?.() !== 0 }, async () => {
  const base = join(real?.point ?? '', `bindery-${scope}`);
  mkdirSync(base);
  const found = await findV2({ mounts: [], membership: new Map(), folder: '', proc: '/proc' });
  assert.equal(found.files, undefined);
  const group = new ControlGroup(
    {
      bases: { cpuTime: base },
      bounds: () => [],
      memoryUsage: '',
      oomEvents: '',
      cacheLine: '',
      cpuTime: { file: 'cpu.stat', seconds: Number },
    },
    'a',
  );
  const made = await group.create(BOUNDS);
  const child = inGroup(made, 'import time\nos.fork(); os.setsid() if os.getpid() % 2 else 0\nprint("ready", flush=True); time.sleep(60)');
  await once(child.stdout ?? child, 'data');
  await Promise.all([group.end(), once(child, 'close')]);
  assert.ok(!existsSync(join(base, 'a')));
  rmdirSync(base);
});
