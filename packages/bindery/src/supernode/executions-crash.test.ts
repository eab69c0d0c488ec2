import assert from 'node:assert/strict';
import { appendFile, copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Seeded } from '../../../../test/fakes/seeded.ts';
import { JupyterServer } from '../../../../test/fakes/jupyter-server.ts';
import { SharedNotebook } from '../../../../test/fakes/shared-notebook.ts';
import { RelayRoom } from '../relay/relay-room.ts';
import { FolderBlobs } from './blobs.ts';
import { Executions } from './executions.ts';

/** `ROUNDS=200 SEED=1 node --test …` for more of them, or the same again. */
const ROUNDS = Number(process.env['ROUNDS'] ?? 6);
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const CELLS = 5;

describe('executions and crashes', () => {
  let server: JupyterServer;
  before(async () => {
    server = await JupyterServer.start();
  });
  after(async () => {
    for (const executions of all) executions.close();
    await server[Symbol.asyncDispose]();
  });

  const all: Executions[] = [];
  const start = (document: string, room: RelayRoom): Executions => {
    const executions = new Executions({
      server: server.api,
      secret: 'secret',
      blobs: new FolderBlobs(join(server.folder, 'blobs'), String),
    });
    all.push(executions);
    executions.attach(document, room);
    return executions;
  };

  it(`X3.12 X3.13 nothing runs twice, and nothing is lost without a word (seed ${SEED})`, async (t) => {
    const seeded = new Seeded(SEED);
    const kernel = await server.startKernel();
    const outcomes: Record<string, number> = {};
    for (let round = 0; round < ROUNDS; round++) {
      const runs = join(server.folder, `runs-${round}`);
      const sources = Array.from(
        { length: CELLS },
        (_, cell) =>
          `import time\nwith open(${JSON.stringify(runs)}, 'a') as f: f.write('${cell}\\n')\nprint('begin', flush=True); time.sleep(${(seeded.next() * 0.15).toFixed(3)}); print('end')`,
      );
      let file = join(server.folder, `room-${round}`);
      const accepted = new Map<string, number>();
      let room = await RelayRoom.open(file);
      let notebook = new SharedNotebook(sources, room);
      let executions = start(`doc-${round}`, room);
      const asked = sources.map((_, cell) =>
        executions.request(`doc-${round}`, { cell: `c${cell}`, kernel, owner: `owner ${cell}` }).then(
          (id) => accepted.set(id, cell),
          () => undefined,
        ),
      );
      for (let crash = 0; crash < 2; crash++) {
        await delay(seeded.next() * 250);
        // What a crash leaves: what was written up to now, and the half of something.
        const left = `${file}.${crash}`;
        const known = new Map(accepted);
        await copyFile(file, left);
        await appendFile(left, Buffer.from([9, 0, 0, 0, 1, 2, 3]).subarray(0, seeded.below(8)));
        executions.close();
        const old = room;
        file = left;
        room = await RelayRoom.open(file);
        await old.close();
        if (crash === 0) await Promise.all(asked);
        // Only what was acknowledged before the crash has to be there.
        for (const id of accepted.keys()) if (!known.has(id)) accepted.delete(id);
        notebook = new SharedNotebook([], room);
        executions = start(`doc-${round}`, room);
      }
      for (const [id, cell] of accepted) {
        // The Jupyter server may need a minute to get over a connection that was lost while it was being made.
        const status = await notebook.ended(id, 100_000);
        outcomes[status.status] = (outcomes[status.status] ?? 0) + 1;
        const ran = (await readFile(runs, 'utf8').catch(() => '')).split('\n').filter((line) => line === String(cell)).length;
        const what = `round ${round}, cell ${cell}, ran ${ran} times: ${JSON.stringify(status)}`;
        assert.ok(status.status === 'ok' ? ran === 1 : status.status === 'abort' && status.message !== '' && ran <= 1, what);
        const text = notebook.text(`c${cell}`);
        if (status.status !== 'ok' || text === 'begin\nend\n') continue;
        assert.match(text, /output may be missing here/, `${what} ${JSON.stringify(text)}`);
        outcomes['with output missing'] = (outcomes['with output missing'] ?? 0) + 1;
      }
      executions.close();
      await room.close();
    }
    t.diagnostic(`how they ended: ${JSON.stringify(outcomes)}`);
  });
});
