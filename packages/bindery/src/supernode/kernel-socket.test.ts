import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { readConnection, socketAt } from './kernel-socket.ts';

const CONNECTION = { transport: 'ipc', ip: '/elsewhere/kernel-k-ipc', iopub_port: 2, key: 'a-key', signature_scheme: 'hmac-sha256' };

describe('X1.6 what lies where a kernel may be heard', () => {
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'socket-'));
    file = join(folder, 'kernel-k.json');
  });
  afterEach(() => rm(folder, { recursive: true }));

  for (const [what, make] of [
    ['is not there', async () => undefined],
    ['is a folder', async () => mkdir(file)],
    ['is a pipe', async () => void execFileSync('mkfifo', [file])],
    [
      'is a link',
      async () => {
        await writeFile(`${file}.real`, JSON.stringify(CONNECTION));
        await symlink(`${file}.real`, file);
      },
    ],
    ['is no JSON', async () => writeFile(file, '{')],
    ['speaks of TCP', async () => writeFile(file, JSON.stringify({ ...CONNECTION, transport: 'tcp', ip: '127.0.0.1' }))],
    ['is huge', async () => writeFile(file, JSON.stringify(CONNECTION) + ' '.repeat(100_000))],
  ] as const) {
    it(`passes over a connection file that ${what}`, async () => {
      await make();
      assert.equal(await readConnection(file), undefined);
    });
  }

  it('takes the name of a socket, and never its folder', async () => {
    for (const [ip, socket] of [
      [CONNECTION.ip, 'kernel-k-ipc-2'],
      [`${folder}/../../up/x`, 'x-2'],
      ['..', '..-2'],
    ] as const) {
      await writeFile(file, JSON.stringify({ ...CONNECTION, ip }));
      assert.deepEqual(await readConnection(file), { socket, key: 'a-key' });
    }
  });

  describe('beside a socket', () => {
    let server: Server;
    let greeted: number;
    beforeEach(async () => {
      greeted = 0;
      server = createServer((socket) => {
        greeted += 1;
        socket.resume().end();
      });
      await new Promise<void>((resolve) => server.listen(join(folder, 'other'), resolve));
    });
    afterEach(() => new Promise((resolve) => server.close(resolve)));

    it('connects to no link to it, and to it once it is there itself', async () => {
      const name = 'kernel-k-ipc-2';
      await symlink(join(folder, 'other'), join(folder, name));
      assert.equal(await socketAt(folder, name), undefined);
      await rename(join(folder, 'other'), join(folder, name));
      const socket = await socketAt(folder, name);
      assert.ok(socket);
      if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve).resume());
      assert.equal(greeted, 1);
    });

    it('connects to nothing else that has its name', async () => {
      execFileSync('mkfifo', [join(folder, 'pipe')]);
      await writeFile(join(folder, 'file'), '');
      for (const name of ['pipe', 'file', 'nothing', 'a\0b']) assert.equal(await socketAt(folder, name), undefined);
      assert.equal(await socketAt(join(folder, 'nowhere'), 'other'), undefined);
    });

    it('gives up on one that nobody listens at any longer', async () => {
      // Under its new name it is not taken away when its server ends.
      await rename(join(folder, 'other'), join(folder, 'left'));
      await new Promise((resolve) => server.close(resolve));
      assert.equal(await socketAt(folder, 'left'), undefined);
    });
  });
});
