import * as Y from 'yjs';
import { difference } from '@bindery/rtc/tables/fields.ts';
import { FoldedText } from './folded-text.ts';
import type { OutputPlace } from './output-place.ts';

/** Characters at the start and at the end of a text that is too long for its document, which stay in it. */
const ENDS = 64 * 1024;
const SHORT_ENDS = 2 * 1024;
/** Characters that may wait to be written; what comes beyond, while the disk stands still, is lost. */
const MOST_WAITING = 32 * 1024 * 1024;

/** What one execution may still put where. */
export interface Budget {
  /** Characters of streams in the document. */
  inline: number;
  /** Characters of streams beside it. */
  kept: number;
}

/** What is told of a text that lies outside: to people, and to who puts it back. */
export interface SpillReference {
  readonly text: string;
  readonly blob?: { readonly digest: string; readonly bytes: number };
}

/** Text of one stream without anything else between: one output. */
export class StreamOutput {
  readonly name: string;
  readonly folded = new FoldedText();
  readonly #budget: Budget;
  #map: Y.Map<unknown> | undefined;
  /** How long the shared text was when it was left, and the part at its end that may still change. */
  #length = 0;
  #open = '';
  #spill: Spill | undefined;

  constructor(name: string, budget: Budget) {
    this.name = name;
    this.#budget = budget;
  }

  /** True when most of it lies outside of the document. */
  get isSpilt(): boolean {
    return this.#spill !== undefined;
  }

  /** All of it, where it is too long for the document. */
  get whole(): string | undefined {
    return this.#spill?.whole(this.folded.line);
  }

  /** Says where all of it is, or why it is nowhere, for the next `write`. */
  refer(reference: SpillReference): void {
    if (this.#spill) this.#spill.reference = reference;
  }

  /** Takes a stream up again that another process has begun: what is at the end of the list, if it is of this name. */
  static found(name: string, budget: Budget, place: OutputPlace): StreamOutput | undefined {
    const map = place.list.get(place.list.length - 1);
    const text = map instanceof Y.Map && place.isStream(map, name) ? map.get('text') : undefined;
    if (!(map instanceof Y.Map) || !(text instanceof Y.Text) || map.has('blob')) return undefined;
    const output = new StreamOutput(name, budget);
    const all = text.toJSON();
    output.#map = map;
    output.#length = all.length;
    output.#open = all.slice(all.lastIndexOf('\n') + 1);
    output.folded.write(output.#open);
    budget.inline -= all.length;
    return output;
  }

  add(text: string): void {
    if (this.folded.waiting < MOST_WAITING) this.folded.write(text);
  }

  /** Brings the document up to date, inside of an edit. Returns how many characters it wrote. */
  write(place: OutputPlace): number {
    const shared = this.#shared(place);
    const { done, line } = this.folded.take();
    const isTooLong = !this.#spill && done.length + line.length > Math.max(this.#budget.inline, 2 * SHORT_ENDS);
    if (isTooLong) {
      const before = shared ? shared.toJSON() : '';
      const settled = before.slice(0, before.length - this.#open.length);
      this.#spill = new Spill(settled + done, this.#budget.inline > 2 * ENDS ? ENDS : SHORT_ENDS, this.#budget);
      this.#open = before;
    } else if (this.#spill) this.#spill.add(done);
    else this.#budget.inline -= done.length;
    const rest = this.#spill ? this.#spill.rest(line) : done + line;
    const all = (this.#spill?.head ?? '') + rest;
    const written = shared ? this.#change(shared, isTooLong ? all : rest) : this.#begin(place, all);
    this.#open = this.#spill ? rest : line;
    if (this.#spill?.reference?.blob) this.#map?.set('blob', this.#spill.reference.blob);
    return written;
  }

  #begin(place: OutputPlace, text: string): number {
    this.#map = place.stream(this.name, text);
    place.list.push([this.#map]);
    this.#length = text.length;
    return text.length;
  }

  #change(shared: Y.Text, next: string): number {
    const { index, remove, text } = difference(this.#open, next);
    const at = this.#length - this.#open.length + index;
    if (remove > 0) shared.delete(at, remove);
    if (text !== '') shared.insert(at, text);
    this.#length += text.length - remove;
    return text.length;
  }

  /** The shared text, if it is still in the list and as it was left. */
  #shared({ list, isStream }: OutputPlace): Y.Text | undefined {
    if (!this.#map) return undefined;
    const isThere = this.#map.parent === list && !this.#isGone();
    const last: unknown = list.get(list.length - 1);
    // A cell that was moved is another one, with copies in it.
    const isCopy = this.#isGone() && last instanceof Y.Map && isStream(last, this.name);
    const map = isThere ? this.#map : isCopy ? (last as Y.Map<unknown>) : undefined;
    const text = map?.get('text');
    if (!map || !(text instanceof Y.Text) || text.length !== this.#length) return undefined;
    this.#map = map;
    return text;
  }

  #isGone(): boolean {
    return this.#map?._item?.deleted === true;
  }
}

/** A text of which the document has the two ends. */
class Spill {
  readonly head: string;
  reference: SpillReference | undefined;
  readonly #budget: Budget;
  readonly #ends: number;
  readonly #kept: string[] = [];
  #keptTail = '';
  #tail = '';
  #length = 0;

  constructor(begun: string, ends: number, budget: Budget) {
    // The head is a whole number of lines where it can be.
    this.#budget = budget;
    this.#ends = ends;
    const cut = begun.lastIndexOf('\n', ends - 1) + 1 || Math.min(ends, begun.length);
    this.head = begun.slice(0, cut);
    this.#kept.push(this.head);
    this.#length = this.head.length;
    this.add(begun.slice(cut));
  }

  add(text: string): void {
    this.#length += text.length;
    this.#tail = (this.#tail + text).slice(-this.#ends);
    if (this.#budget.kept >= text.length) {
      this.#budget.kept -= text.length;
      this.#kept.push(text);
    } else {
      this.#budget.kept = 0;
      this.#keptTail = (this.#keptTail + text).slice(-ENDS);
    }
  }

  /** What stands in the document behind the head. */
  rest(line: string): string {
    const out = this.#length - this.head.length - this.#tail.length;
    const shown = line.length > this.#ends ? line.slice(-this.#ends) : line;
    if (out <= 0) return this.#tail + shown;
    const where = this.reference?.text ?? 'all of it when the execution has ended';
    // Where a line was cut, the rest of it goes too.
    const tail = this.#tail.slice(this.#tail.indexOf('\n') + 1);
    return `\n[${out + this.#tail.length - tail.length} characters are left out here; ${where}]\n${tail}${shown}`.toWellFormed();
  }

  whole(line: string): string {
    const lost = this.#keptTail === '' ? '' : '\n[More than is kept: some is left out here.]\n';
    return [...this.#kept, lost, this.#keptTail, line].join('');
  }
}
