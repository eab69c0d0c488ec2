import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { asNobody, shown } from '../../../../../test/fakes/unprivileged.ts';
import { seccompFilter } from './seccomp.ts';

const folder = mkdtempSync(join(tmpdir(), 'seccomp-'));
after(() => rmSync(folder, { recursive: true }));
const file = join(folder, 'filter');
writeFileSync(file, seccompFilter(process.arch));

const root = process.getuid?.() === 0;
const users: [name: string, before: string[]][] = [['this user', []]];
if (root) users.push(['an unprivileged user', asNobody()]);

/** Runs a program in a sandbox with the filter; user namespaces stay allowed in it, so that only the filter can refuse. */
async function sandboxed(before: string[], argv: string[]): Promise<{ code: number | null; signal: string | null; out: string }> {
  const filter = openSync(file, 'r');
  const node = before.length > 0 ? shown(process.execPath) : process.execPath;
  const visible = ['/usr', '/etc'].flatMap((path) => ['--ro-bind', path, path]).concat('--ro-bind', dirname(node), '/node');
  const links = ['bin', 'lib', 'lib64'].flatMap((name) => ['--symlink', `usr/${name}`, `/${name}`]);
  const [command, ...args] = [
    ...before,
    'bwrap',
    '--unshare-all',
    // First, since what is made visible may lie below it.
    '--tmpfs',
    '/tmp',
    ...visible,
    ...links,
    '--proc',
    '/proc',
    '--dev',
    '/dev',
  ];
  const child = spawn(command, [...args, '--die-with-parent', '--seccomp', '3', '--', ...argv], {
    stdio: ['ignore', 'pipe', 'pipe', filter],
    timeout: 30_000,
  });
  closeSync(filter);
  let out = '';
  child.stdout?.on('data', (data: Buffer) => (out += data.toString()));
  child.stderr?.on('data', (data: Buffer) => (out += data.toString()));
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, out: out.trim() })));
}

const python = (before: string[], code: string) => sandboxed(before, ['/usr/bin/python3', '-I', '-c', code]);
const CALL =
  'import ctypes, errno; c = ctypes.CDLL(None, use_errno=True)\ndef call(*a):\n ctypes.set_errno(0); r = c.syscall(*a); return errno.errorcode.get(ctypes.get_errno(), r) if r < 0 else "ok"\n';
/** Numbers of this machine, x64 first. */
const number = (x64: number, arm64: number): number => (process.arch === 'arm64' ? arm64 : x64);

test('the filter is refused for a machine it does not know', () => {
  assert.throws(() => seccompFilter('mips'), { code: 'sandbox_unavailable' });
});

test('no jump leaves the program, and every program is short enough for the kernel', () => {
  for (const arch of ['x64', 'arm64']) {
    const bytes = seccompFilter(arch);
    const length = bytes.length / 8;
    assert.ok(Number.isInteger(length) && length < 4096);
    for (let at = 0; at < length; at++) {
      const reach = at + 1 + Math.max(bytes.readUInt8(at * 8 + 2), bytes.readUInt8(at * 8 + 3));
      assert.ok(reach < length || bytes.readUInt16LE(at * 8) === 0x06, `${arch}: instruction ${at} jumps out of the program`);
    }
    assert.equal(bytes.readUInt16LE(bytes.length - 8), 0x06, 'ends in a return');
  }
});

/** What a program answers to a call, after the rules of the kernel's classic BPF. */
function answer(bytes: Buffer, audit: number, call: number, ...args: number[]): string {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(call, 0);
  data.writeUInt32LE(audit, 4);
  for (const [index, value] of args.entries()) data.writeBigUInt64LE(BigInt(value), 16 + 8 * index);
  let loaded = 0;
  for (let at = 0; at < bytes.length / 8; at++) {
    const [code, value] = [bytes.readUInt16LE(at * 8), bytes.readUInt32LE(at * 8 + 4)];
    if (code === 0x20) loaded = data.readUInt32LE(value);
    else if (code === 0x06) return value === 0x7fff0000 ? 'allow' : value === 0x80000000 ? 'kill' : `errno ${value & 0xffff}`;
    else {
      const yes = code === 0x15 ? loaded === value : code === 0x35 ? loaded >= value : (loaded & value) !== 0;
      at += bytes.readUInt8(at * 8 + (yes ? 2 : 3));
    }
  }
  throw new Error('the program has no end');
}

test('on both machines the program answers as its table says', () => {
  const tables = [
    {
      arch: 'x64',
      audit: 0xc000003e,
      other: 0x40000003,
      mount: 165,
      setns: 308,
      clone: 56,
      unshare: 272,
      socket: 41,
      ioctl: 16,
      ptrace: 101,
      read: 0,
    },
    {
      arch: 'arm64',
      audit: 0xc00000b7,
      other: 0x40000028,
      mount: 40,
      setns: 268,
      clone: 220,
      unshare: 97,
      socket: 198,
      ioctl: 29,
      ptrace: 117,
      read: 63,
    },
  ];
  for (const t of tables) {
    const ask = (call: number, ...args: number[]) => answer(seccompFilter(t.arch), t.audit, call, ...args);
    assert.equal(answer(seccompFilter(t.arch), t.other, t.read), 'kill');
    for (const call of [t.mount, t.setns, 425, 432]) assert.equal(ask(call), 'errno 1', `${t.arch} ${call}`);
    for (const call of [435, 470, 0x40000000, 0xffffffff]) assert.equal(ask(call), 'errno 38', `${t.arch} ${call}`);
    for (const call of [t.ptrace, t.read, 439, 441]) assert.equal(ask(call), 'allow', `${t.arch} ${call}`);
    assert.equal(ask(t.clone, 0x003d0f00), 'allow', 'a thread');
    assert.equal(ask(t.clone, 0x01200011), 'allow', 'fork');
    assert.equal(ask(t.clone, 0x10000011), 'errno 1');
    assert.equal(ask(t.unshare, 0x80), 'errno 1');
    assert.equal(ask(t.ioctl, 0, 0x5412), 'errno 1');
    assert.equal(ask(t.ioctl, 0, 0x7_0000_5412), 'errno 1');
    assert.equal(ask(t.ioctl, 0, 0x5413), 'allow');
    assert.equal(ask(t.socket, 2, 1, 6), 'allow');
    assert.equal(ask(t.socket + 1 + (t.arch === 'x64' ? 11 : 0), 30, 1, 0), 'errno 97', 'socketpair');
    assert.equal(ask(t.socket, 16, 3, 15), 'errno 93');
  }
});

for (const [who, before] of users) {
  describe(`as ${who}`, { concurrency: 2 }, () => {
    test('system calls that break-outs are made of are refused', async () => {
      const calls = {
        mount: [number(165, 40), 0, 0, 0, 0, 0],
        umount2: [number(166, 39), 0, 0],
        pivot_root: [number(155, 41), 0, 0],
        setns: [number(308, 268), 0, 0],
        bpf: [number(321, 280), 0, 0, 0],
        keyctl: [number(250, 219), 0, 0],
        perf_event_open: [number(298, 241), 0, 0, 0, 0, 0],
        userfaultfd: [number(323, 282), 1],
        open_by_handle_at: [number(304, 265), 0, 0, 0],
        quotactl: [number(179, 60), 0, 0, 0, 0],
        kexec_file_load: [number(320, 294), 0, 0, 0, 0, 0],
        io_uring_setup: [425, 1, 0],
        fsopen: [430, 0, 0],
        open_tree: [428, 0, 0, 0],
        mount_setattr: [442, 0, 0, 0, 0, 0],
        vmsplice: [number(278, 75), 0, 0, 0, 0],
      };
      const list = JSON.stringify(calls);
      const { out } = await python(
        before,
        `${CALL}import json; print(json.dumps({k: call(*v) for k, v in json.loads('${list}').items()}))`,
      );
      assert.deepEqual(JSON.parse(out), Object.fromEntries(Object.keys(calls).map((name) => [name, 'EPERM'])));
    });

    test('new namespaces are refused by every way in', async () => {
      const [unshare, clone] = [number(272, 97), number(56, 220)];
      const flags = [0x20000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000];
      const code = `${CALL}print([call(${unshare}, f) for f in ${JSON.stringify([...flags, 0x80])}] + [call(${clone}, f | 17, 0, 0, 0, 0) for f in ${JSON.stringify(flags)}], call(435, 0, 0), call(${unshare}, 0x400))`;
      const { out } = await python(before, code);
      assert.equal(out, `[${Array<string>(15).fill("'EPERM'").join(', ')}] ENOSYS ok`);
      const tool = await sandboxed(before, ['unshare', '-U', 'true']);
      assert.match(tool.out, /Operation not permitted/);
    });

    test('calls of x32 and of later kernels do not exist', { skip: process.arch !== 'x64' }, async () => {
      const { out } = await python(before, `${CALL}print(call(0x40000000 | 39), call(470), call(100000))`);
      assert.equal(out, 'ENOSYS ENOSYS ENOSYS');
    });

    test('a program of another architecture is killed', { skip: process.arch !== 'x64' }, async () => {
      // mov eax, 20 (getpid of i386); int 0x80; ret
      const code = `import ctypes, mmap; m = mmap.mmap(-1, 4096, prot=7); m.write(b"\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3")
ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))(); print("alive")`;
      const { code: exit, out } = await python(before, code);
      assert.equal(out, '');
      assert.equal(exit, 128 + 31, 'SIGSYS');
    });

    test('only UNIX, internet and route sockets can be made', async () => {
      const code = `import socket, errno
def make(*a):
  try: socket.socket(*a).close(); return "ok"
  except OSError as e: return errno.errorcode[e.errno]
print([make(f, t) for f, t in [(1, 1), (2, 1), (2, 2), (10, 1)]], make(16, 3, 0), make(16, 3, 4), [make(f, 2) for f in (17, 38, 40, 4, 21, 30)], [make(2, 1, p) for p in (132, 262)])
socket.socketpair()[0].close()`;
      const { out } = await python(before, code);
      assert.equal(
        out,
        `['ok', 'ok', 'ok', 'ok'] ok EPROTONOSUPPORT [${Array<string>(6).fill("'EAFNOSUPPORT'").join(', ')}] ['EPROTONOSUPPORT', 'EPROTONOSUPPORT']`,
      );
    });

    test('nothing can be typed into a terminal, whatever the upper half of the request says', async () => {
      const ioctl = number(16, 29);
      const code = `${CALL}import pty, os; a, b = pty.openpty(); n = ctypes.c_long
print(call(${ioctl}, n(b), n(0x5412), b"x"), call(${ioctl}, n(b), n(0x1_0000_5412), b"x"), call(${ioctl}, n(b), n(0x541c), b"x"), os.get_terminal_size(b).lines)`;
      assert.equal((await python(before, code)).out, 'EPERM EPERM EPERM 0');
    });

    test('threads, sub-processes, process pools, debuggers and Node work', async () => {
      const code = `import threading, subprocess, multiprocessing as m, asyncio, concurrent.futures as f, os, ctypes, signal
def twice(x): return 2 * x
if __name__ == "__main__":
  t = []; [(x.start(), x.join()) for x in [threading.Thread(target=lambda: t.append(1)) for _ in range(8)]]
  p = subprocess.check_output("echo hi | cat; (sleep 0 &) ; wait", shell=True, text=True)
  with m.Pool(2) as pool: q = pool.map(abs, [-1, -2])
  with f.ProcessPoolExecutor(2, mp_context=m.get_context("spawn")) as e: s = list(e.map(abs, [-3]))
  a = asyncio.run(asyncio.sleep(0, "done"))
  child = os.fork()
  if child == 0: ctypes.CDLL(None).ptrace(0, 0, 0, 0); os.kill(os.getpid(), signal.SIGSTOP); os._exit(7)
  _, status = os.waitpid(child, 0); stopped = os.WIFSTOPPED(status); ctypes.CDLL(None).ptrace(7, child, 0, 0); _, status = os.waitpid(child, 0)
  print(len(t), p.strip(), q, s, a, stopped, os.WEXITSTATUS(status))`;
      assert.equal((await python(before, code)).out, '8 hi [1, 2] [3] done True 7');
      const worker =
        'new (require(\'worker_threads\').Worker)(\'require("dns").lookup("localhost", () => console.log("node"))\', { eval: true })';
      assert.equal((await sandboxed(before, [`/node/${basename(process.execPath)}`, '-e', worker])).out, 'node');
    });
  });
}
