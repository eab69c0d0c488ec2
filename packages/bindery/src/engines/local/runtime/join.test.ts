import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { test } from 'node:test';

const skip = process.platform === 'linux' ? false : 'Namespaces are of Linux.';

/** Runs a program with the helper's parts in it; what it printed, and on stderr. */
function python(program: string): { status: number | null; out: string; err: string } {
  const begin = `import os, sys\nsys.path.insert(0, ${JSON.stringify(import.meta.dirname)})\nfrom join import *\nimport join\n`;
  const { status, stdout, stderr } = spawnSync('python3', ['-I', '-S', '-B', '-c', begin + program], { encoding: 'utf8' });
  return { status, out: stdout.trim(), err: stderr };
}

test('whether sandboxes can be joined is found by trying, and an old kernel is believed', { skip }, () => {
  const [major = 0, minor = 0] = execFileSync('uname', ['-r'], { encoding: 'utf8' }).split('.').map(Number);
  assert.equal(python('print(can_join())').out, major > 5 || (major === 5 && minor >= 8) ? 'True' : 'False');
  const old =
    'class Old:\n  def syscall(self, *_): return os.open("/dev/null", 0)\n  def setns(self, *_): ctypes.set_errno(errno.EINVAL); return -1\n';
  assert.equal(python(`${old}join.libc = Old()\nprint(can_join())`).out, 'False');
});

test('descriptors are closed but those that are kept', { skip }, () => {
  const { out } = python(
    'kept = os.dup(1); other = os.dup(1); close_all_but({0, 1, 2, kept})\nprint([fd for fd in (0, 1, 2, kept, other) if os.path.exists(f"/proc/self/fd/{fd}")] == [0, 1, 2, kept])',
  );
  assert.equal(out, 'True');
});

test('a process ends as its program does, and says why where that is a failure', { skip }, () => {
  assert.equal(python('leave(None)').status, 0);
  assert.equal(python('leave(SystemExit(7))').status, 7);
  const told = python('leave(SystemExit("no content"))');
  assert.deepEqual([told.status, told.err], [1, 'no content\n']);
  const failed = python('try: raise OSError("disk")\nexcept OSError as error: leave(error)');
  assert.equal(failed.status, 1);
  assert.match(failed.err, /Traceback[^]*OSError: disk/);
});

test('a sandbox that has gone is told, not joined', { skip }, () => {
  const { out, err } = python(
    'import subprocess\nchild = subprocess.Popen(["sleep", "9"]); child.kill(); child.wait()\ntry: fork_into(child.pid, {}, [], lambda: None, lambda: None)\nexcept OSError as error: print(error.errno == errno.ESRCH)',
  );
  assert.equal(out, 'True', err);
});
