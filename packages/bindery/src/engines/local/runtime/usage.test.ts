import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { rlimits } from '../limits/rlimits.ts';

/** Runs Python beside usage.py and returns what it prints as JSON. */
function python(code: string): unknown {
  const before = `import json, os, sys\nsys.path.insert(0, ${JSON.stringify(import.meta.dirname)})\nfrom usage import Usage, folder_bytes, own_bytes, shared_out\nfrom family import Family, from_ps, running\n`;
  const { stdout, stderr } = spawnSync('python3', ['-I', '-S', '-B', '-c', before + code], { encoding: 'utf8', timeout: 60_000 });
  assert.notEqual(stdout, '', stderr);
  return JSON.parse(stdout);
}

/** A program with 40 MiB that it shares with two children. */
const FAMILY = `
b = bytearray(b"x" * 40 * 2**20)
read, write = os.pipe()
for _ in range(2):
  if os.fork() == 0: os.close(write); os.read(read, 1); os._exit(0)
`;

test('memory that is shared after a fork is not counted twice', () => {
  const seen = python(`${FAMILY}family = Family(os.getpid()).look()
print(json.dumps([len(family), sum(one.resident for one in family.values()), shared_out(family), Usage({"memory": 90 * 2**20, "processes": None, "disk": 1, "folders": []}, Family(os.getpid())).broken()]))`) as [
    number,
    number,
    number,
    unknown,
  ];
  assert.equal(seen[0], 3);
  assert.ok(seen[1] > 120 * 2 ** 20, `${seen[1]} bytes resident`);
  assert.ok(seen[2] > 40 * 2 ** 20 && seen[2] < 80 * 2 ** 20, `${seen[2]} bytes used`);
  assert.equal(seen[3], null);
});

test('a limit that is broken is told in a sentence, with what was used and what is allowed', () => {
  const broken = (watch: string): unknown => python(`${FAMILY}print(json.dumps(Usage(${watch}, Family(os.getpid())).broken()))`);
  const [reason, sentence] = broken('{"memory": 20 * 2**20, "processes": None, "disk": 1, "folders": []}') as string[];
  assert.equal(reason, 'memory');
  assert.match(sentence ?? '', /^It used \d\d MiB of memory; 20 MiB are allowed\.$/);
  assert.deepEqual(broken('{"memory": None, "processes": 2, "disk": 1, "folders": []}'), [
    'processes',
    'It ran 3 processes and threads; 2 are allowed.',
  ]);
});

test('what was seen last is kept', () => {
  const seen =
    python(`used = Usage({"memory": 2**40, "processes": None, "disk": 2**40, "folders": [${JSON.stringify(import.meta.dirname)}]}, Family(os.getpid()))
used.looked -= 10
used.broken()
print(json.dumps(used.seen))`) as { memoryBytes: number; processes: number; diskBytes: number };
  assert.ok(seen.memoryBytes > 2 ** 20 && seen.diskBytes > 4096, JSON.stringify(seen));
  assert.equal(seen.processes, 1);
});

test('a family that nothing holds together is found and ended whole, orphans in sessions of their own too', () => {
  const ended = python(`
import subprocess, time
script = "(setsid sh -c 'sleep 300 & sleep 300' &) ; sleep 300"
family = Family(loose=True)
child = subprocess.Popen(["sh", "-c", script])
family.roots.add(child.pid)
deadline = time.monotonic() + 20
while len(family.look()) < 5 and time.monotonic() < deadline: time.sleep(0.01)
members = family.look()
family.kill()
child.wait()
print(json.dumps([len(members), [pid for pid, one in members.items() if running().get(pid, one).start == one.start and pid in running()]]))`);
  assert.deepEqual(ended, [5, []]);
});

test('the next keeper of such a family knows its members, and nobody who got a pid after them', () => {
  const left = python(`
import subprocess
child = subprocess.Popen(["sleep", "300"])
known = {child.pid: Family(child.pid, loose=True).look()[child.pid].start}
members = [sorted(Family(known=known).look()), sorted(Family(known={child.pid: 1}).look())]
child.kill()
print(json.dumps([members[0] == [child.pid], members[1]]))`);
  assert.deepEqual(left, [true, []]);
});

test('where there is no /proc, ps tells the same', () => {
  const [same, resident, start] = python(`
seen, here = from_ps()[os.getpid()], running()[os.getpid()]
print(json.dumps([seen.parent == here.parent and seen.state in "RS", seen.resident, seen.start]))`) as [boolean, number, string];
  assert.ok(same);
  assert.ok(resident > 2 ** 20);
  assert.ok(Math.abs(Date.parse(`${start} UTC`) - Date.now()) < 60_000, start);
});

test('disk is counted by blocks, each file once, no link followed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'disk-'));
  mkdirSync(join(folder, 'a/b'), { recursive: true });
  writeFileSync(join(folder, 'a/b/file'), Buffer.alloc(2 ** 20, 1));
  linkSync(join(folder, 'a/b/file'), join(folder, 'again'));
  symlinkSync('/usr', join(folder, 'usr'));
  const shared = python(`print(own_bytes(${JSON.stringify(folder)}))`);
  assert.equal(shared, 0, 'what has two names belongs to nobody alone');
  writeFileSync(join(folder, 'own'), Buffer.alloc(2 ** 16, 1));
  const own = python(`print(own_bytes(${JSON.stringify(folder)}))`) as number;
  assert.ok(own >= 2 ** 16 && own < 2 ** 18, `${own} bytes`);
  const sum = python(`print(folder_bytes(${JSON.stringify(folder)}))`) as number;
  assert.ok(sum >= 2 ** 20 && sum < 1.2 * 2 ** 20, `${sum} bytes`);
  rmSync(folder, { recursive: true });
});

test('rlimits stand in for what no control group bounds', () => {
  const bounds = { memory: 100, cpus: 1, processes: 7, disk: 1000 };
  const names = (memory: boolean, processes: boolean, ownUser: boolean): string[] =>
    rlimits(bounds, { memory, cpus: true, processes }, ownUser).map(({ name }) => name);
  assert.deepEqual(names(true, true, true), ['CORE', 'NOFILE', 'FSIZE']);
  assert.deepEqual(names(false, false, true), ['CORE', 'NOFILE', 'FSIZE', 'DATA', 'NPROC']);
  assert.deepEqual(names(false, false, false), ['CORE', 'NOFILE', 'FSIZE', 'DATA']);
});
