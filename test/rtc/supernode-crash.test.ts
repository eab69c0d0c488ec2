import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { NOTEBOOK_TABLES, type ExecutionStatus } from '@bindery/rtc/tables/jupyter.ts';
import { openTables } from '@bindery/rtc/tables/table.ts';
import * as Y from 'yjs';
import { JupyterServer } from '../fakes/jupyter-server.ts';
import { Seeded } from '../fakes/seeded.ts';
import { SupernodeProcess, type Found, type Part } from '../fakes/supernode-process.ts';
import { until } from '../fakes/until.ts';
import { WeakNetwork } from '../fakes/weak-network.ts';
import { cellsForFile, cellsOfFile, labActor, Ledger, notebookMember, wholeOf, type NotebookActor, type Place } from './notebook-actors.ts';
import { docInLog, tearLog } from './torn-log.ts';

const ROUNDS = Number(process.env['ROUNDS'] ?? 5);
const SEED = Number(process.env['SEED'] ?? Date.now() % 100_000);
/** Rounds after which the notebooks are others: their logs would grow without end. */
const ROUNDS_A_NOTEBOOK = 8;
/** Of the formats of which one has ids of cells in the file, and one has none. */
const MINORS = [5, 4];
/** The Jupyter server may need a minute to get over a connection that was lost while it was being made. */
const PATIENCE = { withinMs: 150_000 };

const base = await mkdtemp(join(tmpdir(), 'supernode-crash-'));
after(() => rm(base, { recursive: true }));
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** How every execution of a document stands. */
function statusesOf(doc: Y.Doc): Map<string, ExecutionStatus> {
  const { executions } = openTables(doc, NOTEBOOK_TABLES, (body) => body());
  return new Map(executions.records.get().map(({ id, status }) => [id, status]));
}

const isGoing = ({ status }: ExecutionStatus): boolean => status === 'requested' || status === 'in progress';

/** A notebook, those who are in it, and what they were promised. */
class Stage {
  readonly file: string;
  readonly found: Found;
  readonly ledger = new Ledger();
  readonly actors: NotebookActor[] = [];
  readonly #runs: string;
  readonly #place: Place;
  /** With those who have left: leaving twice is no harm. */
  readonly #all: NotebookActor[] = [];
  #names = 0;

  constructor(file: string, found: Found, place: Omit<Place, 'ledger' | 'code' | 'url' | 'request'> & Pick<World, 'url' | 'request'>) {
    this.file = file;
    this.found = found;
    this.#runs = `${file}.runs`;
    this.#place = {
      ...place,
      ledger: this.ledger,
      url: (dialect) => place.url(found, dialect),
      request: async (cell) => place.request(found, cell),
      code: (id, raises) =>
        [
          'import time',
          `with open(${JSON.stringify(this.#runs)}, 'a') as f: f.write('${id}\\n')`,
          `print('out ${id}', flush=True); time.sleep(${(place.random.next() * 0.06).toFixed(3)}); print('end')`,
          ...(raises ? [`raise ValueError('${id}')`] : []),
        ].join('\n'),
    };
    this.actors.push(this.#member(), this.#member(), this.#lab());
  }

  #member(): NotebookActor {
    return this.#with(notebookMember(`a${this.#names++}`, this.#place));
  }

  #lab(): NotebookActor {
    return this.#with(labActor(`l${this.#names++}`, this.#place));
  }

  #with(actor: NotebookActor): NotebookActor {
    this.#all.push(actor);
    return actor;
  }

  /** One of ours leaves without waiting for anything, and somebody else comes. */
  replace(): void {
    const index = this.#place.random.below(2);
    this.actors[index]?.leave();
    this.actors[index] = this.#member();
  }

  /** Somebody new, who has seen nothing yet. */
  witness(): NotebookActor {
    return this.#member();
  }

  leave(): void {
    for (const actor of this.#all.splice(0)) actor.leave();
  }

  /** How often each has run. */
  ran(): Map<string, number> {
    const counts = new Map<string, number>();
    for (const id of readOr(this.#runs, '').split('\n').filter(Boolean)) counts.set(id, (counts.get(id) ?? 0) + 1);
    return counts;
  }

  /** What is wrong with how its executions ended, and how many ended in which way. */
  judge(doc: Y.Doc): { readonly faults: string[]; readonly outcomes: Record<string, number> } {
    const { executions } = openTables(doc, NOTEBOOK_TABLES, (body) => body());
    const [ran, outcomes] = [this.ran(), {} as Record<string, number>];
    const shown = JSON.stringify(wholeOf(doc));
    const faults = [...this.ledger.runs.values()].flatMap(({ id, execution, raises }) => {
      const times = ran.get(id) ?? 0;
      if (times > 1) return [`${id} ran ${times} times`];
      if (execution === undefined) return [];
      const record = executions.get(execution);
      if (!record) return [`${id} was promised, and is not known`];
      const { status } = record;
      const how = status.status === 'abort' && times > 0 ? 'abort after it began' : status.status;
      outcomes[how] = (outcomes[how] ?? 0) + 1;
      const isRight = status.status === 'abort' ? status.message !== '' : times === 1 && status.status === (raises ? 'error' : 'ok');
      return isRight ? [] : [`${id} ran ${times} times and ended so: ${JSON.stringify(status).slice(0, 300)}`];
    });
    outcomes['with output missing'] = shown.split('output may be missing here').length - 1;
    return { faults, outcomes };
  }
}

function readOr(file: string, fallback: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return fallback;
  }
}

/** A Jupyter server, the supernode before it, and the network between that and the clients. */
class World {
  readonly folder = join(base, 'supernode');
  readonly jupyter: JupyterServer;
  readonly network: WeakNetwork;
  supernode: SupernodeProcess;

  private constructor(jupyter: JupyterServer, network: WeakNetwork, supernode: SupernodeProcess) {
    this.jupyter = jupyter;
    this.network = network;
    this.supernode = supernode;
  }

  static async open(): Promise<World> {
    const jupyter = await JupyterServer.start();
    const network = await WeakNetwork.open();
    const world = new World(jupyter, network, await SupernodeProcess.start(join(base, 'supernode'), jupyter));
    // One that ends in peace leaves its compiled sources to those that are killed.
    await world.supernode.end();
    await world.start();
    return world;
  }

  readonly url = (found: Found, dialect: 'lab' | 'room'): string => this.supernode.room(found, dialect, this.network.port);

  /** Over the network that fails: who gets no answer was promised nothing. */
  readonly request = async ({ format, type, fileId }: Found, cell: string): Promise<string | undefined> => {
    const { pathname } = new URL(this.supernode.url);
    const answer = await fetch(`http://127.0.0.1:${this.network.port}${pathname}api/kernels/${this.kernel}/execute`, {
      method: 'POST',
      headers: { authorization: `token ${this.supernode.key}`, 'content-type': 'application/json', connection: 'close' },
      body: JSON.stringify({ document_id: `${format}:${type}:${fileId}`, cell_id: cell }),
      signal: AbortSignal.timeout(20_000),
    });
    return answer.ok ? ((await answer.json()) as { execution: string }).execution : undefined;
  };

  kernel = '';

  async notebook(name: string, minor: number): Promise<{ file: string; found: Found }> {
    const file = join(this.jupyter.folder, 'root', name);
    const metadata = { kernelspec: { name: 'python3', display_name: 'Python 3', language: 'python' } };
    await writeFile(file, JSON.stringify({ nbformat: 4, nbformat_minor: minor, metadata, cells: [] }));
    return { file, found: await this.supernode.find(name) };
  }

  async kill(part: Part): Promise<void> {
    await this.supernode.kill(part);
    if (part === 'worker') return;
    this.network.target = undefined;
    this.network.lift();
  }

  async start(): Promise<void> {
    this.supernode = await SupernodeProcess.start(this.folder, this.jupyter);
    this.network.target = this.supernode.port;
  }

  /** The log of a document. */
  logOf({ format, type, fileId }: Found): string {
    const [own = ''] = readdirSync(this.folder).filter((name) => !name.startsWith('.'));
    const name = createHash('sha256').update(`${format}:${type}:${fileId}`).digest('hex');
    return join(this.folder, own, 'jupyter', 'rooms', `${name}.log`);
  }

  async close(): Promise<void> {
    await this.network.close();
    await this.supernode.kill('all');
    await this.jupyter[Symbol.asyncDispose]();
  }
}

describe(`what runs the cells of shared notebooks is killed (SEED=${SEED} ROUNDS=${ROUNDS})`, () => {
  const random = new Seeded(SEED);
  let world: World;
  let stages: Stage[] = [];
  before(async () => {
    world = await World.open();
    world.kernel = await world.jupyter.startKernel();
  });
  after(async () => {
    for (const stage of stages) stage.leave();
    await world.close();
  });

  /** Until `isOver`, all edit and run cells, some leave, connections are cut or stand still. */
  async function act(isOver: () => boolean): Promise<void> {
    const { network } = world;
    while (!isOver()) {
      for (const stage of stages) {
        for (const actor of stage.actors) if (random.happens(50)) actor.edit();
        if (random.happens(1)) stage.replace();
      }
      if (random.happens(2)) network.cut(() => random.happens(30));
      if (random.happens(2)) network.hold(() => random.happens(30));
      if (random.happens(2)) network.lift();
      await pause(4 + random.below(8));
    }
  }

  function tear(stage: Stage): void {
    const file = world.logOf(stage.found);
    const whole = docInLog(file);
    assert.deepEqual(stage.ledger.faults(whole), [], 'what was promised is in the log');
    // How executions stand is safe before anything is done about it.
    const statuses = statusesOf(whole);
    tearLog(file, random, (doc) => stage.ledger.faults(doc).length === 0 && isDeepStrictEqual(statusesOf(doc), statuses));
  }

  /** Comes when everybody has the same, nothing runs any more, and the file says it too. */
  async function settle(stage: Stage): Promise<Record<string, number>> {
    const everybody = [...stage.actors, stage.witness()];
    const [first, , lab, witness] = everybody as [NotebookActor, NotebookActor, NotebookActor, NotebookActor];
    const differing = (): string[] => {
      const said = everybody.map(({ doc }) => wholeOf(doc));
      return everybody.flatMap((_, index) => (isDeepStrictEqual(said[index], said[0]) ? [] : [`${index} differs`]));
    };
    const knowsAll = (): boolean => new Set(everybody.map(({ doc }) => Buffer.from(Y.encodeStateVector(doc)).toString('hex'))).size === 1;
    const isSame = (): boolean => everybody.every((actor) => actor.isSettled()) && knowsAll() && differing().length === 0;
    const ran = (id: string): number => {
      const run = [...stage.ledger.runs.values()].find(({ execution }) => execution === id);
      return run ? (stage.ran().get(run.id) ?? 0) : -1;
    };
    const going = (): string[] =>
      [...statusesOf(witness.doc)].flatMap(([id, status]) => (isGoing(status) ? [`${id} ${status.status}, ran ${ran(id)} times`] : []));
    const seen = async (): Promise<unknown> => ({
      killed,
      settled: everybody.map((actor) => actor.isSettled()),
      differing: differing(),
      asking: stage.ledger.asking,
      going: going(),
      kernels: await world.jupyter.ask('GET', 'api/kernels').catch(String),
    });
    await until('all have the same', isSame, { ...PATIENCE, seen });
    // What comes behind it in the log and is safe, says that it is safe too.
    first.edit();
    await first.saved();
    lab.settle();
    await until('all have the same, and nothing runs', () => stage.ledger.asking === 0 && isSame() && going().length === 0, {
      ...PATIENCE,
      seen,
    });
    const saves = lab.saves?.length ?? 0;
    lab.save?.();
    await until('it is saved', () => (lab.saves?.length ?? 0) > saves, { seen: () => lab.isThere() });
    const inFile = async (): Promise<unknown> => cellsOfFile(await readFile(stage.file, 'utf8'));
    await until('the file says it', async () => isDeepStrictEqual(await inFile(), cellsForFile(witness.doc)), {
      withinMs: 20_000,
      seen: async () => [lab.saves?.at(-1), firstDifference(await inFile(), cellsForFile(witness.doc))],
    });
    const { faults, outcomes } = stage.judge(witness.doc);
    assert.deepEqual([...stage.ledger.faults(witness.doc), ...faults], []);
    witness.leave();
    return outcomes;
  }

  async function raise(round: number): Promise<void> {
    for (const stage of stages) stage.leave();
    stages = [];
    for (const minor of MINORS) {
      const { file, found } = await world.notebook(`round-${round}-${minor}.ipynb`, minor);
      const { url, request, kernel } = world;
      stages.push(new Stage(file, found, { random, kernel, url, request }));
    }
    await until('all are there', () => stages.every((stage) => stage.actors.every((actor) => actor.isThere())));
  }

  /** In all rounds up to now. */
  const killed: Part[] = [];
  async function crash(): Promise<Part> {
    const part: Part = random.happens(70) ? 'all' : random.happens(50) ? 'front' : 'worker';
    killed.push(part);
    let isOver = false;
    const acting = act(() => isOver);
    await pause(50 + random.below(500));
    await world.kill(part);
    isOver = true;
    await acting;
    isOver = false;
    if (part === 'all') {
      await until('no connection is left', () => world.network.size === 0);
      await until('all have noticed', () => stages.every(({ actors }) => actors.every((actor) => !actor.isThere())));
      for (const stage of stages) tear(stage);
    }
    const meanwhile = act(() => isOver);
    if (part !== 'worker') await world.start();
    await pause(random.below(200));
    isOver = true;
    await meanwhile;
    return part;
  }

  it('and nothing that was promised is lost, nothing doubled, nothing run twice, and all have the same', async (t) => {
    const totals: Record<string, number> = {};
    const count = (what: string, more = 1): void => void (totals[what] = (totals[what] ?? 0) + more);
    let ended: Record<string, number>[] = [];
    const collect = (): void => {
      for (const outcomes of ended) for (const [how, many] of Object.entries(outcomes)) count(`executions: ${how}`, many);
      for (const { ledger } of stages) count('safe edits', ledger.safeCount);
    };
    for (let round = 0; round < ROUNDS; round++) {
      if (round % ROUNDS_A_NOTEBOOK === 0) {
        collect();
        await raise(round);
      }
      try {
        const begun = performance.now();
        count(`killed: ${await crash()}`);
        world.network.lift();
        const up = performance.now();
        ended = [];
        for (const stage of stages) ended.push(await settle(stage));
        count('seconds to crash and start', (up - begun) / 1000);
        count('seconds to settle', (performance.now() - up) / 1000);
      } catch (error) {
        throw new Error(`round ${round}, SEED=${SEED}: ${(error as Error).message}; the supernode: ${world.supernode.said()}`, {
          cause: error,
        });
      }
    }
    collect();
    t.diagnostic(JSON.stringify(totals));
    assert.ok((totals['safe edits'] ?? 0) > ROUNDS * 10, JSON.stringify(totals));
    assert.ok((totals['executions: ok'] ?? 0) >= ROUNDS, JSON.stringify(totals));
  });
});

/** Where two lists differ first, for people. */
function firstDifference(one: unknown, other: unknown): unknown {
  const [a, b] = [one as unknown[], other as unknown[]];
  const index = a.findIndex((each, place) => !isDeepStrictEqual(each, b[place]));
  return [a.length, b.length, index, a[index], b[index]];
}
