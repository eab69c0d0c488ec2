import { satisfies } from '@renovatebot/pep440';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { Config } from '../../base/config.ts';
import type { Worker } from '../../base/worker.ts';
import type { Uv } from '../../clients/uv.ts';
import type { StageLog } from '../../contracts/engine.ts';
import type { Interpreter, PythonBase } from '../../contracts/plan.ts';
import { executables } from './interpreter-search.ts';
import { InterpreterFacts } from './interpreter-facts.ts';

export interface InterpretersDeps {
  readonly config: Config;
  readonly worker: Worker;
  /** Environment variables of the hub. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  readonly uv: () => Promise<Uv>;
}

/** Interpreters that may be tried for a plan, best first, and what people should know of the choice. */
export interface Candidates {
  readonly interpreters: readonly Interpreter[];
  readonly notes: readonly string[];
}

/** The CPythons (3.7 and newer) of this machine, and those that uv fetches for us. */
export class Interpreters {
  readonly #deps: InterpretersDeps;
  readonly #facts: InterpreterFacts;
  readonly #managed: string;

  constructor(deps: InterpretersDeps) {
    this.#deps = deps;
    this.#managed = `${deps.config.folders.cache}/python`;
    this.#facts = new InterpreterFacts(deps.config.folders.cache, deps.worker);
  }

  /** Every usable interpreter, newest first, one for each X.Y; what lies on the machine goes before what was fetched. */
  async list(signal: AbortSignal): Promise<readonly Interpreter[]> {
    const paths = await executables(this.#deps.variables, this.#managed);
    const answers = await Promise.all(
      paths.map(async (path): Promise<Interpreter[]> => {
        const facts = await this.#facts.of(path, signal);
        return facts ? [{ ...facts, path, from: path.startsWith(`${this.#managed}/`) ? 'managed' : 'machine' }] : [];
      }),
    );
    await this.#facts.save();
    const found = answers.flat();
    found.sort((a, b) => compare(b.version, a.version) || Number(a.from === 'managed') - Number(b.from === 'managed'));
    const seen = new Set<string>();
    return found.filter(({ version }) => !seen.has(minor(version)) && seen.add(minor(version)));
  }

  /**
   * Interpreters that meet `base.requires`: the preferred X.Y first, else the newest. Where the machine has none that
   * fits (or not the preferred one), uv fetches one if the configuration allows. Throws `python_not_found`.
   */
  async candidates(base: PythonBase, log: StageLog, signal: AbortSignal): Promise<Candidates> {
    const all = await this.list(signal);
    const fitting = all.filter(({ version }) => fits(version, base.requires));
    const wanted = base.prefer === 'newest' ? undefined : base.prefer;
    const preferred = fitting.find(({ version }) => wanted !== undefined && minor(version) === wanted);
    if (preferred) return { interpreters: [preferred, ...fitting.filter((one) => one !== preferred)], notes: [] };
    if (wanted === undefined && fitting.length > 0) return { interpreters: fitting, notes: [] };
    const fetched = await this.#fetch(base, wanted, log, signal);
    if (fetched.interpreter) return { interpreters: [fetched.interpreter, ...fitting], notes: [] };
    if (fitting.length === 0) throw notFound(base, all, fetched.reason);
    return {
      interpreters: wanted === undefined ? fitting : nearest(fitting, wanted),
      notes: [`Python ${wanted} is preferred (${base.because}) but not on this machine, and ${fetched.reason}.`],
    };
  }

  async #fetch(
    base: PythonBase,
    wanted: string | undefined,
    log: StageLog,
    signal: AbortSignal,
  ): Promise<{ interpreter?: Interpreter; reason: string }> {
    const { config } = this.#deps;
    if (!config.python.managed) return { reason: 'fetching interpreters is switched off (python.managed)' };
    const uv = await this.#deps.uv();
    const version = wanted ?? (await newestOffered(uv, base.requires, signal));
    if (!version) return { reason: 'uv offers none either' };
    log.info(`Fetching Python ${version} (about 35 MB, once).`);
    const result = await uv.run(['python', 'install', '--no-bin', version], {
      timeoutMs: 600_000,
      signal,
      reach: { write: [this.#managed] },
      env: { UV_HTTP_RETRIES: '1' },
      onLine: (line) => log.line(line),
    });
    const interpreter = (await this.list(signal)).find((one) => fits(one.version, base.requires) && one.version.startsWith(version));
    if (result.code === 0 && interpreter) return { interpreter, reason: '' };
    const cause =
      result.stderr
        .trim()
        .split('\n')
        .at(-1)
        ?.replace(/^\s*(?:error|cause|Caused by):\s*/i, '') ?? '';
    return { reason: `Python ${version} could not be fetched (${cause || 'uv said nothing'})` };
  }
}

async function newestOffered(uv: Uv, requires: string, signal: AbortSignal): Promise<string | undefined> {
  const result = await uv.run(['python', 'list', '--only-downloads', '--all-versions'], { timeoutMs: 30_000, signal });
  const offered = [...result.stdout.matchAll(/^cpython-(\d+\.\d+\.\d+)-/gm)].map((match) => match[1] ?? '');
  return offered.filter((version) => fits(version, requires)).toSorted((a, b) => compare(b, a))[0];
}

function notFound(base: PythonBase, all: readonly Interpreter[], reason: string): BinderyError {
  const have = all.length === 0 ? 'none' : all.map(({ version }) => version).join(', ');
  const wish = base.requires || base.prefer;
  const other = next(all, base.requires);
  return new BinderyError(
    'python_not_found',
    `The repository needs Python ${wish} (${base.because}). On this machine: ${have}; and ${reason}.`,
    {
      hint: `${other === undefined ? 'Install' : `Launch with --python ${other} to try it on that one all the same; or install`} one that fits, or set python.mirror to a reachable mirror of python-build-standalone (https:// or file://).`,
    },
  );
}

/** `X.Y` of the oldest interpreter that is newer than all that are asked for, else of the newest: what old code is most likely to run on. */
function next(all: readonly Interpreter[], requires: string): string | undefined {
  const asked = Math.max(...[...requires.matchAll(/(\d+)\.(\d+)/g)].map(([, major, of]) => Number(major) * 1000 + Number(of)));
  const places = all.map(({ version }) => minor(version));
  return places.findLast((one) => Number(one.split('.')[0]) * 1000 + Number(one.split('.')[1]) > asked) ?? places[0];
}

/** The others by distance from the wanted version, newer before older. */
function nearest(interpreters: readonly Interpreter[], wanted: string): readonly Interpreter[] {
  const place = (version: string): number => Number(minor(version).split('.')[1]) - Number(wanted.split('.')[1]);
  return interpreters.toSorted((a, b) => Math.abs(place(a.version)) - Math.abs(place(b.version)) || place(b.version) - place(a.version));
}

function fits(version: string, requires: string): boolean {
  return requires === '' || satisfies(version, requires);
}

function minor(version: string): string {
  return version.split('.').slice(0, 2).join('.');
}

function compare(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split('.').map((part) => Number.parseInt(part, 10)));
  for (let place = 0; place < 3; place++) {
    const difference = (left?.[place] ?? 0) - (right?.[place] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
