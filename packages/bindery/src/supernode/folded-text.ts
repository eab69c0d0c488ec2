/** A line longer than this, in UTF-16 units, is no progress bar: what moves back in it stays as it came. */
const LONGEST_LINE = 64 * 1024;
/** One longer than this counts as ended, so that it does not grow for ever. */
const ENDLESS_LINE = 4 * 1024 * 1024;
const RESET = '\u001b[0m';

/** What moves within a line: return, backspace, and the erasing of (a part of) a line. */
// oxlint-disable-next-line no-control-regex
const MOVES = /[\r\b]|\u001b\[[0-2]?K/;
// oxlint-disable-next-line no-control-regex
const TOKENS = /\u001b\[[\d;?]*[@-~]|[\r\n\b]|[^\u001b\r\n\b]+|\u001b/g;
/** The begun part of something that only the next piece tells: an escape sequence, a surrogate pair. */
// oxlint-disable-next-line no-control-regex
const BEGUN = /(?:\u001b(?:\[[\d;?]{0,30})?|[\ud800-\udbff])$/;
// oxlint-disable-next-line no-control-regex
const COLOUR = /^\u001b\[([\d;]*)m$/;
// oxlint-disable-next-line no-control-regex
const COLOURS = /\u001b\[[\d;]*m/g;
/** What stands on the place of the character before. */
const JOINS = /^[\p{M}\u200d]$/u;

/**
 * The text of a stream, as a terminal shows it: `\r`, `\b` and erasing change the current line, and only it. Text that does nothing of the
 * kind comes out as it went in. How the stream is cut into pieces makes no difference.
 */
export class FoldedText {
  #held = '';
  #done = '';
  #line = '';
  #isReturned = false;
  #cells: Cells | undefined;
  /** The colours that the current line begins with. */
  #colours = '';

  write(piece: string): void {
    const text = this.#held + piece;
    this.#held = BEGUN.exec(text)?.[0] ?? '';
    const whole = this.#held === '' ? text : text.slice(0, -this.#held.length);
    if (this.#cells || this.#isReturned || MOVES.test(whole)) for (const [token] of whole.matchAll(TOKENS)) this.#take(token);
    else this.#append(whole);
    if (this.#line.length <= ENDLESS_LINE) return;
    this.#end(this.#line);
    this.#line = '';
  }

  /** The lines that were ended since the last call, and the one that is not ended yet. */
  take(): { readonly done: string; readonly line: string } {
    const done = this.#done;
    this.#done = '';
    return { done: done.toWellFormed(), line: this.line };
  }

  /** The line that is not ended yet. */
  get line(): string {
    return (this.#cells ? this.#cells.text() : this.#line).toWellFormed();
  }

  /** How many characters of lines that were ended wait for `take`. */
  get waiting(): number {
    return this.#done.length;
  }

  /** Nothing follows: what was begun stays as it is. */
  end(): void {
    const begun = this.#held;
    this.#held = '';
    if (begun !== '') this.#line = (this.#cells ? this.#endCells() : this.#line) + begun;
  }

  #take(token: string): void {
    if (token === '\n') this.#endLine();
    else if (this.#cells) this.#inCells(this.#cells, token);
    // What follows tells whether it overwrites; a line end does not.
    else if (token === '\r' && this.#line.length <= LONGEST_LINE) this.#isReturned = true;
    else if (!this.#isReturned && !MOVES.test(token)) this.#line += token;
    // Nothing stands behind the end of a line.
    else if (!this.#isReturned && (token === '\u001b[K' || token === '\u001b[0K')) return;
    else if (this.#line.length > LONGEST_LINE) this.#line += token;
    else this.#inCells(this.#intoCells(), token);
  }

  #inCells(cells: Cells, token: string): void {
    cells.take(token);
    if (cells.length > LONGEST_LINE) this.#line = this.#endCells();
  }

  #intoCells(): Cells {
    const cells = new Cells(this.#colours);
    for (const [token] of this.#line.matchAll(TOKENS)) cells.take(token);
    if (this.#isReturned) cells.take('\r');
    this.#isReturned = false;
    this.#line = '';
    return (this.#cells = cells);
  }

  #endCells(): string {
    const text = this.#cells?.text() ?? '';
    this.#cells = undefined;
    return text;
  }

  #endLine(): void {
    const line = this.#cells ? this.#endCells() : this.#line;
    this.#isReturned = false;
    this.#line = '';
    this.#end(`${line}\n`);
  }

  #append(text: string): void {
    const end = text.lastIndexOf('\n') + 1;
    if (end === 0) this.#line += text;
    else {
      this.#end(this.#line + text.slice(0, end));
      this.#line = text.slice(end);
    }
  }

  #end(lines: string): void {
    this.#done += lines;
    if (lines.includes('\u001b')) for (const [colour] of lines.matchAll(COLOURS)) this.#colours = after(this.#colours, colour);
  }
}

/** The colours that hold after one more. */
function after(colours: string, colour: string): string {
  const codes = COLOUR.exec(colour)?.[1] ?? '';
  if (codes === '' || codes === '0') return '';
  // One that comes again counts where it comes last; and what only ever adds must not grow without end.
  return (colours.replace(colour, '') + colour).slice(-400);
}

/** A line in which something was overwritten: one character in each place, with the colours that it was written in. */
class Cells {
  readonly #places: string[] = [];
  readonly #colours: string[] = [];
  readonly #start: string;
  #now: string;
  #at = 0;
  /** What takes no place, and goes with the next character. */
  #pending = '';

  constructor(colours: string) {
    this.#start = colours;
    this.#now = colours;
  }

  get length(): number {
    return this.#places.length;
  }

  take(token: string): void {
    if (token === '\r') this.#at = 0;
    else if (token === '\b') this.#at = Math.max(0, this.#at - 1);
    else if (!token.startsWith('\u001b')) for (const char of token) this.#put(char);
    else if (COLOUR.test(token)) this.#now = after(this.#now, token);
    else if (token.endsWith('K') && MOVES.test(token)) this.#erase(token.charAt(2));
    else this.#pending += token;
  }

  #put(char: string): void {
    const before = this.#at - 1;
    if (JOINS.test(char) && this.#places[before] !== undefined) {
      this.#places[before] += char;
      return;
    }
    while (this.#places.length < this.#at) this.#blank(this.#places.length);
    this.#places[this.#at] = this.#pending + char;
    this.#colours[this.#at] = this.#now;
    this.#pending = '';
    this.#at += 1;
  }

  #blank(at: number): void {
    this.#places[at] = ' ';
    this.#colours[at] = '';
  }

  /** To the end of the line, to its start (with the place itself), or all of it. */
  #erase(how: string): void {
    if (how === '1') for (let at = 0; at <= this.#at && at < this.#places.length; at++) this.#blank(at);
    else this.#places.length = how === '2' ? 0 : Math.min(this.#at, this.#places.length);
    this.#colours.length = this.#places.length;
  }

  text(): string {
    let text = '';
    let colours = this.#start;
    const turn = (to: string): void => {
      if (to === colours) return;
      text += (colours === '' ? '' : RESET) + to;
      colours = to;
    };
    this.#places.forEach((place, at) => {
      turn(this.#colours[at] ?? '');
      text += place;
    });
    turn(this.#now);
    return text + this.#pending;
  }
}
