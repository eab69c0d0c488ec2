import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { digestOf } from '../../base/canonical.ts';
import { run } from '../../base/run.ts';
import type { Worker } from '../../base/worker.ts';
import { prefixOf } from './interpreter-search.ts';

/** What an interpreter says of itself. */
export interface Facts {
  readonly version: string;
  readonly prefix: string;
  readonly build: string;
}

const ANSWER = z.object({
  implementation: z.string(),
  version: z.string().regex(/^\d+\.\d+\.\d+$/),
  release: z.boolean(),
  prefix: z.string().startsWith('/'),
  platform: z.string(),
  soabi: z.string(),
  details: z.string(),
  missing: z.array(z.string()),
});
const Known = z.record(
  z.string(),
  z.object({
    mtimeMs: z.number(),
    size: z.number(),
    facts: z.object({ version: z.string(), prefix: z.string(), build: z.string() }).nullable(),
  }),
);
type Known = z.infer<typeof Known>;

/** Without one of these a kernel cannot work as people expect. */
const QUESTION = `
import importlib, json, platform, sys, sysconfig
missing = []
for name in ("ssl", "sqlite3", "ctypes", "zlib", "venv"):
    try:
        importlib.import_module(name)
    except Exception:
        missing.append(name)
info = sys.version_info
print(json.dumps({
    "implementation": sys.implementation.name, "version": "%d.%d.%d" % info[:3], "release": info[3] == "final",
    "prefix": sys.base_prefix, "platform": sysconfig.get_platform(), "soabi": sysconfig.get_config_var("SOABI") or "",
    "details": sys.version, "missing": missing}))
`;

/** Asks each interpreter once, and remembers the answers (the unusable ones too) in the cache folder until the file changes. */
export class InterpreterFacts {
  readonly #worker: Worker;
  readonly #path: string;
  #known: Promise<Known> | undefined;
  #changed = false;

  constructor(cache: string, worker: Worker) {
    this.#worker = worker;
    this.#path = join(cache, 'interpreters.json');
  }

  /** Facts of a CPython of 3.7 or newer that has all a kernel needs; undefined for anything else. */
  async of(path: string, signal: AbortSignal): Promise<Facts | undefined> {
    const known = await (this.#known ??= this.#load());
    const file = await stat(path).catch(() => undefined);
    if (!file?.isFile()) return undefined;
    const before = known[path];
    if (before?.mtimeMs === file.mtimeMs && before.size === file.size) return before.facts ?? undefined;
    const facts = await this.#ask(path, signal);
    known[path] = { mtimeMs: file.mtimeMs, size: file.size, facts: facts ?? null };
    this.#changed = true;
    return facts;
  }

  /** Writes new answers down. */
  async save(): Promise<void> {
    if (!this.#changed || !this.#known) return;
    this.#changed = false;
    await mkdir(join(this.#path, '..'), { recursive: true });
    const temporary = `${this.#path}.${randomUUID()}`;
    await writeFile(temporary, JSON.stringify(await this.#known));
    await rename(temporary, this.#path);
  }

  async #load(): Promise<Known> {
    try {
      return Known.parse(JSON.parse(await readFile(this.#path, 'utf8')));
    } catch {
      return {};
    }
  }

  async #ask(path: string, signal: AbortSignal): Promise<Facts | undefined> {
    const argv = this.#worker.lower([path, '-I', '-B', '-c', QUESTION], { read: [prefixOf(path)] });
    const result = await run(argv, { env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8' }, timeoutMs: 20_000, signal, keepBytes: 65_536 });
    if (result.code !== 0) return undefined;
    let answer: z.infer<typeof ANSWER>;
    try {
      answer = ANSWER.parse(JSON.parse(result.stdout));
    } catch {
      return undefined;
    }
    const minor = Number(answer.version.split('.')[1]);
    const usable = answer.implementation === 'cpython' && answer.release && answer.version.startsWith('3.') && minor >= 7;
    if (!usable || answer.missing.length > 0) return undefined;
    const build = `cpython-${answer.version}-${answer.platform}-${answer.soabi}-${digestOf(answer.details).slice(0, 12)}`;
    return { version: answer.version, prefix: answer.prefix, build };
  }
}
