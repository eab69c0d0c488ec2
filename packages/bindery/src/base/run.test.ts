import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from './run.ts';

const node = process.execPath;

test('run returns the exit code and both outputs, and inherits nothing of the environment', async () => {
  process.env['SECRET_OF_THE_HUB'] = 'x';
  const result = await run([node, '-e', 'console.log(process.env.SECRET_OF_THE_HUB, process.env.A); console.error("e"); process.exit(3)'], {
    env: { A: '1' },
    timeoutMs: 30_000,
  });
  assert.deepEqual(result, { code: 3, signal: null, stdout: 'undefined 1\n', stderr: 'e\n', timedOut: false });
});

test('run kills the whole process group on time-out', async () => {
  const child = 'require("child_process").spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], {stdio: "inherit"})';
  const result = await run([node, '-e', child], { env: {}, timeoutMs: 300 });
  assert.equal(result.timedOut, true);
  assert.equal(result.signal, 'SIGKILL');
});

test('run keeps a bounded part of a huge output, and still shows every line', async () => {
  let lines = 0;
  const result = await run([node, '-e', 'for (let i = 0; i < 1e5; i++) console.log("0123456789")'], {
    env: {},
    timeoutMs: 30_000,
    keepBytes: 1000,
    onLine: () => lines++,
  });
  assert.equal(result.stdout.length, 1000);
  assert.equal(lines, 1e5);
});

test('run shows progress that is written over itself, and characters that come in halves', async () => {
  const script =
    'const w = (b) => process.stdout.write(b); w("1%\\r2%\\r"); w(Buffer.from([0xc3])); setImmediate(() => { w(Buffer.from([0xa4, 13, 10])); w("end"); })';
  const lines: string[] = [];
  await run([node, '-e', script], { env: {}, timeoutMs: 30_000, onLine: (line) => lines.push(line) });
  assert.deepEqual(lines, ['1%', '2%', 'ä', 'end']);
});

test('run passes words to the program as they are: no shell', async () => {
  const result = await run([node, '-e', 'console.log(process.argv[1])', '$(touch /tmp/x); `id` "\' *'], { env: {}, timeoutMs: 30_000 });
  assert.equal(result.stdout, '$(touch /tmp/x); `id` "\' *\n');
});

test('run rejects a NUL byte and names a missing program', async () => {
  await assert.rejects(run([node, 'a\0b'], { env: {}, timeoutMs: 1000 }), { code: 'request_invalid' });
  await assert.rejects(run(['no-such-program-here'], { env: {}, timeoutMs: 1000 }), { code: 'tool_missing' });
});

test('run rejects with the reason of an abort and leaves nothing behind', async () => {
  const controller = new AbortController();
  const running = run([node, '-e', 'setInterval(() => {}, 1000)'], { env: {}, timeoutMs: 30_000, signal: controller.signal });
  controller.abort(new Error('enough'));
  await assert.rejects(running, { message: 'enough' });
});
