import * as Y from 'yjs';

/**
 * Keeps what was written whole until the server has it safe, though a cell, record or list that it stands in was taken out (rule U8): who moved that did
 * not know of it, and what Yjs has let go of, nobody can send any more. Of what others wrote, nobody tells when it is safe: it is kept for a while.
 */
export class UnsafeEdits {
  readonly #doc: Y.Doc;
  /** What the document's client wrote from this clock on is not safe. */
  #safeClock = 0;
  /** What others had written at the last tick, and at the one before. */
  #heard = new Map<number, number>();
  #heardBefore = new Map<number, number>();
  /** Taken out, and not let go of yet. */
  #spared = Y.createDeleteSet();
  readonly #others: Y.Doc['gcFilter'];

  constructor(doc: Y.Doc) {
    this.#doc = doc;
    const others = doc.gcFilter;
    this.#others = others;
    doc.gcFilter = (item) => others(item) && this.#mayGo(item);
  }

  /** What was written until then is safe: it may go. */
  safeUpTo(clock: number): void {
    this.#safeClock = clock;
    this.#collect();
  }

  /** To be called from time to time: what others wrote before the last call may go. */
  tick(): void {
    this.#heardBefore = this.#heard;
    this.#heard = Y.decodeStateVector(Y.encodeStateVector(this.#doc));
    this.#collect();
  }

  end(): void {
    this.#doc.gcFilter = this.#others;
    this.#collect();
  }

  #collect(): void {
    const spared = this.#spared;
    if (spared.clients.size === 0) return;
    this.#spared = Y.createDeleteSet();
    Y.tryGc(spared, this.#doc.store, this.#doc.gcFilter);
  }

  #mayGo(item: Y.Item): boolean {
    if (!this.#holdsUnsafe(item)) return true;
    const { client, clock } = item.id;
    const known = this.#spared.clients.get(client);
    const range = { clock, len: item.length };
    if (known) known.push(range);
    else this.#spared.clients.set(client, [range]);
    return false;
  }

  /** Whether anything in it is not safe, or it itself, and went with what it stands in: what was taken out alone, was meant. */
  #holdsUnsafe({ id, length, content, parent }: Y.Item): boolean {
    const safe = id.client === this.#doc.clientID ? this.#safeClock : (this.#heardBefore.get(id.client) ?? 0);
    const isUnsafe = id.clock + length > safe;
    if (isUnsafe && parent instanceof Y.AbstractType && parent._item?.deleted) return true;
    if (!(content instanceof Y.ContentType)) return false;
    const { _start, _map } = content.type;
    for (let each = _start; each; each = each.right) if (this.#holdsUnsafe(each)) return true;
    return [..._map.values()].some((each) => this.#holdsUnsafe(each));
  }
}
