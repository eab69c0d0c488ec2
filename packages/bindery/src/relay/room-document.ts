import { randomInt } from 'node:crypto';
import * as Y from 'yjs';

/** The state vector of who has nothing. */
const EMPTY = 0;

export interface RoomDocumentOptions {
  /** What was kept of it. */
  readonly updates: readonly Uint8Array[];
  /** Hears what it was changed by. */
  readonly changed: (update: Uint8Array) => void;
  /** Milliseconds without a change after which it becomes bytes, if it may; without it never. */
  readonly quietMs?: number | undefined;
  readonly mayRest?: () => boolean;
  /** Whether what was taken out stays in it until `collect` is called. */
  readonly keepsGarbage?: boolean | undefined;
}

/** The document of a room: an object of Yjs while somebody edits it, the bytes that say the same when it is quiet (`SPEC.md`, Q). */
export class RoomDocument {
  readonly #options: RoomDocumentOptions;
  #live: Y.Doc | undefined;
  /** What is said to who has nothing, and what it holds; as long as nothing changes. */
  #whole: Uint8Array | undefined;
  #vector: Uint8Array | undefined;
  #isStirred = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: RoomDocumentOptions) {
    this.#options = { ...options, updates: [] };
    const { updates } = options;
    // A log that was made shorter is what is said to who comes first: nothing has to be built for that.
    if (updates.length !== 1) this.#wake(updates);
    else {
      this.#whole = updates[0];
      // One that is no update is found now, and not by who comes.
      this.vector();
    }
  }

  /** As it is edited. Nobody may keep it where the room may rest. */
  get live(): Y.Doc {
    this.#isStirred = true;
    return this.#live ?? this.#wake(this.#whole ? [this.#whole] : []);
  }

  get isResting(): boolean {
    return this.#live === undefined;
  }

  /** All of it, as one update. */
  whole(): Uint8Array {
    return (this.#whole ??= Y.encodeStateAsUpdate(this.live));
  }

  /** What it holds. */
  vector(): Uint8Array {
    return (this.#vector ??= this.#live ? Y.encodeStateVector(this.#live) : Y.encodeStateVectorFromUpdate(this.whole()));
  }

  /** What somebody with this state vector lacks. Throws for what is none. */
  lacking(vector: Uint8Array): Uint8Array {
    if (vector.length === 1 && vector[0] === EMPTY) return this.whole();
    return Y.encodeStateAsUpdate(this.live, vector);
  }

  /** Lets go of what was taken out, but for what the document's `gcFilter` wants kept; from now on with each edit. */
  collect(): void {
    const { live } = this;
    live.gc = true;
    Y.tryGc(Y.createDeleteSetFromStructStore(live.store), live.store, live.gcFilter);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#live?.destroy();
  }

  #wake(updates: readonly Uint8Array[]): Y.Doc {
    const doc = new Y.Doc({ gc: this.#options.keepsGarbage !== true });
    doc.clientID = serverClient();
    doc.transact(() => {
      for (const update of updates) Y.applyUpdate(doc, update);
    });
    doc.on('update', (update: Uint8Array) => {
      this.#isStirred = true;
      this.#whole = undefined;
      this.#vector = undefined;
      this.#options.changed(update);
    });
    this.#live = doc;
    this.#plan();
    return doc;
  }

  #plan(): void {
    const { quietMs, mayRest } = this.#options;
    if (quietMs === undefined) return;
    this.#timer = setTimeout(() => {
      const isQuiet = !this.#isStirred;
      this.#isStirred = false;
      if (isQuiet && mayRest?.()) this.#rest();
      else this.#plan();
    }, quietMs);
    this.#timer.unref();
  }

  #rest(): void {
    this.whole();
    this.vector();
    this.#live?.destroy();
    this.#live = undefined;
  }
}

/**
 * The client id with which the server edits (rule T6): above all that clients choose for themselves (32 bits), so that of two changes of one key at
 * the same time the server's stays. Clients that made the other one see it replaced; JupyterLab can't see one that comes and is gone already.
 */
function serverClient(): number {
  return 2 ** 32 + randomInt(2 ** 47);
}
