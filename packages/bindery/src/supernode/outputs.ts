import * as Y from 'yjs';
import { isObject, portable, type Json, type JsonObject } from '@bindery/rtc/json.ts';
import { joinOutput } from '@bindery/rtc/notebook/nbformat.ts';
import { BigValues, type Lightened } from './big-values.ts';
import type { BlobStore } from './blobs.ts';
import type { Displays } from './displays.ts';
import type { OutputPlace } from './output-place.ts';
import { StreamOutput, type Budget } from './stream-output.ts';

/** Between two edits: at least this, and as long as they may take at this rate (characters a millisecond); a text that is cut moves slowly. */
const QUIET_MS = 50;
const RATE = 1024;
const SLOW_MS = 1000;
const LONGEST_MS = 3000;
/** Outputs of one execution that stay in the document: these at the start, a word about what is left out, and the rest at the end. */
const MOST_OUTPUTS = 1000;
const FIRST_OUTPUTS = 900;
/** Characters of streams of one execution: in the document, and kept beside it. */
const INLINE = 2 * 1024 * 1024;
const KEPT = 32 * 1024 * 1024;
const LONGEST_TRACEBACK = 256 * 1024;

export interface OutputsOptions {
  /** Where outputs belong at this moment; undefined where nothing takes them. */
  readonly place: () => OutputPlace | undefined;
  readonly edit: (body: () => void) => Promise<void>;
  /** Told inside of every edit that writes what came in between. */
  readonly wrote?: () => void;
  /** Told when the document can't be edited any more. */
  readonly failed: (error: Error) => void;
  readonly displays: Displays;
  readonly blobs: BlobStore;
}

/** An output that is not a stream, on its way. */
interface Rich {
  light: Lightened | undefined;
  readonly displayId: string | undefined;
}

/** Folds what a kernel says of one execution into the document, with as few and as small edits as people can't tell from all. */
export class Outputs {
  readonly #options: OutputsOptions;
  readonly #values: BigValues;
  readonly #budget: Budget = { inline: INLINE, kept: KEPT };
  #pending: (StreamOutput | Rich)[] = [];
  readonly #updates = new Map<string, Rich>();
  readonly #spilt = new Set<StreamOutput>();
  /** Work that has to be done before what waits can be written. */
  #making: Promise<void> = Promise.resolve();
  #last: StreamOutput | undefined;
  #mustClear = false;
  #clearsNext = false;
  #leftOut = 0;
  #notice: Y.Map<unknown> | undefined;
  #timer: NodeJS.Timeout | NodeJS.Immediate | undefined;
  #isWriting = false;
  #isEnded = false;
  #nextAt = 0;
  /** Places in the list, by display id. */
  readonly displayIds = new Map<string, number>();

  constructor(options: OutputsOptions) {
    this.#options = options;
    this.#values = new BigValues(options.blobs);
  }

  /** Takes one message of the kernel; those that are no output are passed over. */
  take(type: string, content: JsonObject): void {
    if (this.#isEnded) return;
    if (type === 'stream') this.#stream(stringOf(content['name']), stringOf(content['text']));
    else if (type === 'clear_output') this.#clear(content['wait'] === true);
    else if (type === 'update_display_data') this.#update(content);
    else if (type === 'display_data' || type === 'execute_result' || type === 'error') this.#output(type, content);
  }

  /** Goes on with the stream that another process has begun, if there is one. */
  goOn(): void {
    const place = this.#options.place();
    if (!place) return;
    for (const name of ['stdout', 'stderr']) this.#last ??= StreamOutput.found(name, this.#budget, place);
  }

  /** Writes all that waits, and what `body` does, in one edit. Nothing is taken any more. */
  async end(body: () => void): Promise<void> {
    this.#isEnded = true;
    if (this.#timer) clear(this.#timer);
    try {
      await this.#writeLast(body);
    } finally {
      // Whoever keeps this longer does not keep what it had to keep.
      this.#spilt.clear();
      this.#last = undefined;
    }
  }

  async #writeLast(body: () => void): Promise<void> {
    this.#last?.folded.end();
    for (const output of this.#pending) if (output instanceof StreamOutput) output.folded.end();
    await this.#made();
    let isDone = false;
    await this.#options.edit(() => {
      this.#write();
      if (this.#spilt.size > 0) return;
      isDone = true;
      body();
    });
    if (isDone) return;
    await Promise.all([...this.#spilt].map((stream) => this.#keep(stream)));
    await this.#options.edit(() => {
      const place = this.#options.place();
      if (place) for (const stream of this.#spilt) stream.write(place);
      body();
    });
  }

  /** Ends with nothing written. */
  drop(): void {
    this.#isEnded = true;
    if (this.#timer) clear(this.#timer);
  }

  /** Comes when all that waits can be written. */
  async #made(): Promise<void> {
    for (let making: Promise<void> | undefined; making !== this.#making;) {
      making = this.#making;
      await making;
    }
  }

  async #keep(stream: StreamOutput): Promise<void> {
    const bytes = Buffer.from((stream.whole ?? '').toWellFormed());
    const { blobs } = this.#options;
    await blobs.put(bytes, 'text/plain').then(
      (digest) => stream.refer({ text: `all of it: ${blobs.link(digest)}`, blob: { digest, bytes: bytes.length } }),
      (error: Error) => stream.refer({ text: `they could not be kept: ${error.message}` }),
    );
  }

  #stream(name: string, text: string): void {
    this.#beforeNext();
    if (this.#last?.name !== name) {
      this.#last = new StreamOutput(name, this.#budget);
      this.#pending.push(this.#last);
    } else if (this.#pending.at(-1) !== this.#last) this.#pending.push(this.#last);
    this.#last.add(text);
    this.#plan();
  }

  #output(type: string, content: JsonObject): void {
    this.#beforeNext();
    this.#last = undefined;
    const rich: Rich = { light: undefined, displayId: displayIdOf(content) };
    this.#pending.push(rich);
    if (this.#pending.length > 2 * MOST_OUTPUTS) this.#leftOut += this.#pending.splice(FIRST_OUTPUTS, MOST_OUTPUTS).length;
    this.#make(rich, outputOf(type, content));
    this.#plan();
  }

  #update(content: JsonObject): void {
    const displayId = displayIdOf(content);
    if (displayId === undefined) return;
    const rich: Rich = { light: undefined, displayId };
    this.#updates.set(displayId, rich);
    this.#make(rich, outputOf('display_data', content));
    this.#plan();
  }

  #make(rich: Rich, output: JsonObject): void {
    const light = this.#values.lighten(output);
    if (!(light instanceof Promise)) {
      rich.light = light;
      return;
    }
    this.#making = Promise.all([this.#making, light.then((made) => void (rich.light = made))]).then(() => undefined);
  }

  #clear(wait: boolean): void {
    this.#clearsNext = wait;
    if (!wait) this.#clearNow();
    this.#plan();
  }

  #beforeNext(): void {
    if (!this.#clearsNext) return;
    this.#clearsNext = false;
    this.#clearNow();
  }

  #clearNow(): void {
    this.#mustClear = true;
    this.displayIds.clear();
    this.#pending = [];
    this.#last = undefined;
    this.#leftOut = 0;
    this.#spilt.clear();
    this.#budget.inline = INLINE;
  }

  /** The first piece goes at once, with what else came in the same breath. */
  #plan(): void {
    if (this.#timer || this.#isWriting || this.#isEnded) return;
    const wait = this.#nextAt - performance.now();
    const flush = (): void => void this.#flush();
    this.#timer = wait > 0 ? setTimeout(flush, wait) : setImmediate(flush);
  }

  async #flush(): Promise<void> {
    this.#timer = undefined;
    this.#isWriting = true;
    await this.#made();
    let written = 0;
    const begun = performance.now();
    try {
      if (!this.#isEnded) {
        await this.#options.edit(() => {
          written = this.#write();
          this.#options.wrote?.();
        });
      }
    } catch (error) {
      this.#isEnded = true;
      this.#options.failed(error as Error);
    }
    this.#nextAt = begun + Math.min(LONGEST_MS, Math.max(this.#spilt.size > 0 ? SLOW_MS : QUIET_MS, written / RATE));
    this.#isWriting = false;
    if (this.#pending.length > 0 || this.#updates.size > 0 || this.#mustClear) this.#plan();
  }

  /** Inside of an edit: everything that waits. Returns how many characters it wrote. */
  #write(): number {
    const place = this.#options.place();
    const pending = this.#pending;
    this.#pending = [];
    let written = 0;
    if (place && this.#mustClear && place.list.length > 0) place.list.delete(0, place.list.length);
    if (this.#mustClear) this.#notice = undefined;
    this.#mustClear = false;
    for (const output of place ? pending : [])
      written += output instanceof StreamOutput ? this.#writeStream(output, place!) : this.#writeRich(output, place!);
    if (place) this.#thin(place);
    for (const [id, { light }] of this.#updates) {
      if (!light) continue;
      const { data = {}, metadata = {}, blobs } = light.output;
      this.#options.displays.update(id, {
        data: data as JsonObject,
        metadata: metadata as JsonObject,
        ...(blobs === undefined ? {} : { blobs }),
      });
      written += light.characters;
    }
    this.#updates.clear();
    return written;
  }

  #writeStream(output: StreamOutput, place: OutputPlace): number {
    const written = output.write(place);
    if (output.isSpilt) this.#spilt.add(output);
    return written;
  }

  #writeRich({ light, displayId }: Rich, place: OutputPlace): number {
    const map = light && place.output(light.output, displayId);
    if (!map) return 0;
    const index = place.list.length;
    place.list.push([map]);
    if (displayId === undefined) return light.characters;
    this.displayIds.set(displayId, index);
    this.#options.displays.add(displayId, map, () => this.#options.place()?.list.get(index));
    return light.characters;
  }

  /** Leaves the first and the last outputs, and says how many are between. */
  #thin({ list, stream }: OutputPlace): void {
    if (list.length <= MOST_OUTPUTS && this.#leftOut === 0) return;
    const hasNotice = this.#notice !== undefined && list.get(FIRST_OUTPUTS) === this.#notice;
    const from = Math.min(FIRST_OUTPUTS, list.length);
    const excess = list.length - MOST_OUTPUTS;
    const remove = Math.max(0, excess + (hasNotice ? 0 : 1));
    if (remove === 0 && hasNotice) return;
    this.#leftOut += remove;
    list.delete(from, remove + (hasNotice ? 1 : 0));
    this.#notice = stream('stderr', `[${this.#leftOut} outputs are left out here]\n`);
    list.insert(from, [this.#notice]);
  }
}

function clear(timer: NodeJS.Timeout | NodeJS.Immediate): void {
  clearTimeout(timer as NodeJS.Timeout);
  clearImmediate(timer as NodeJS.Immediate);
}

function displayIdOf(content: JsonObject): string | undefined {
  const { transient } = content;
  const id = isObject(transient) ? transient['display_id'] : undefined;
  return typeof id === 'string' ? id : undefined;
}

/** An output of nbformat, whatever the kernel has left out, with strings in one piece. */
function outputOf(type: string, content: JsonObject): JsonObject {
  const { data, metadata, execution_count: count = null } = portable(content) as JsonObject;
  if (type === 'error') return errorOf(content);
  const bundle = { data: isObject(data) ? data : {}, metadata: isObject(metadata) ? metadata : {} };
  return joinOutput({ output_type: type, ...bundle, ...(type === 'execute_result' ? { execution_count: count } : {}) });
}

/** What an error says, as an output; very long tracebacks without their middle. */
export function errorOf(content: JsonObject): { output_type: 'error'; ename: string; evalue: string; traceback: string[] } {
  const { ename, evalue, traceback } = portable(content) as JsonObject;
  const lines = (Array.isArray(traceback) ? (traceback as readonly Json[]) : []).map(stringOf);
  return {
    output_type: 'error',
    ename: (stringOf(ename) || 'Error').slice(0, 1024),
    evalue: shortened(stringOf(evalue)),
    traceback: lines.reduce((sum, line) => sum + line.length, 0) > LONGEST_TRACEBACK ? [shortened(lines.join('\n'))] : lines,
  };
}

function stringOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : value === undefined || value === null ? '' : JSON.stringify(value);
}

function shortened(text: string): string {
  const half = LONGEST_TRACEBACK / 2;
  return text.length <= LONGEST_TRACEBACK ? text : `${text.slice(0, half)}\n[…]\n${text.slice(-half)}`.toWellFormed();
}
