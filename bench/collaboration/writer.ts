import * as encoding from 'lib0/encoding';
import * as Y from 'yjs';

/** What Yjs calls a piece of text in an update (ContentString), alone or behind another piece. */
const [STRING, BEHIND] = [4, 0x80];
/** Where a mark begins and ends: `#`, three digits of who, ten of when (µs), `;`. */
const [BEGIN, END, WHO, WHEN] = [0x23, 0x3b, 3, 10];

/** Writes into the text `text` of a document, each piece behind its own last one, as one who types: updates without a document. */
export class Writer {
  readonly #client: number;
  #clock = 0;

  constructor(client: number) {
    this.#client = client;
  }

  insert(piece: string): Uint8Array {
    const to = encoding.createEncoder();
    for (const number of [1, 1, this.#client, this.#clock]) encoding.writeVarUint(to, number);
    encoding.writeUint8(to, this.#clock === 0 ? STRING : STRING | BEHIND);
    if (this.#clock === 0) {
      encoding.writeVarUint(to, 1);
      encoding.writeVarString(to, 'text');
    } else {
      encoding.writeVarUint(to, this.#client);
      encoding.writeVarUint(to, this.#clock - 1);
    }
    encoding.writeVarString(to, piece);
    encoding.writeVarUint(to, 0);
    this.#clock += piece.length;
    return encoding.toUint8Array(to);
  }
}

/** Who wrote a piece and when, in it; `who` below 1000. */
export function mark(who: number, microseconds: number): string {
  return `#${String(who).padStart(WHO, '0')}${String(Math.round(microseconds)).padStart(WHEN, '0')};`;
}

/** Finds the marks in a message, whatever is around them. */
export function eachMark(bytes: Uint8Array, take: (who: number, microseconds: number) => void): void {
  for (let at = 0; at < bytes.length - WHO - WHEN - 1; at++) {
    if (bytes[at] !== BEGIN || bytes[at + WHO + WHEN + 1] !== END) continue;
    const [who, when] = [digits(bytes, at + 1, WHO), digits(bytes, at + 1 + WHO, WHEN)];
    if (who < 0 || when < 0) continue;
    take(who, when);
    at += WHO + WHEN + 1;
  }
}

/** Less than 0 where anything else stands. */
function digits(bytes: Uint8Array, from: number, count: number): number {
  let value = 0;
  for (let at = from; at < from + count; at++) {
    const digit = (bytes[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value;
}

/** A notebook as JupyterLab shares it, of so many code cells with one output each, as one update. */
export function notebook(cells: number, lettersOfSource: number, lettersOfOutput: number): Uint8Array {
  const doc = new Y.Doc();
  const shared = Array.from({ length: cells }, (_, index) => {
    const cell = new Y.Map<unknown>();
    const source = new Y.Text(`# ${index}\n`.padEnd(lettersOfSource, 'total = total + 1\n'));
    const output = { output_type: 'stream', name: 'stdout', text: `${index} `.padEnd(lettersOfOutput, '0123456789 ') };
    const fields = {
      id: `cell-${index}`,
      cell_type: 'code',
      source,
      outputs: Y.Array.from([output]),
      metadata: {},
      execution_count: index,
    };
    for (const [key, value] of Object.entries(fields)) cell.set(key, value);
    return cell;
  });
  doc.transact(() => doc.getArray('cells').push(shared));
  return Y.encodeStateAsUpdate(doc);
}
