import { applyAwarenessUpdate, encodeAwarenessUpdate, removeAwarenessStates, type Awareness } from 'y-protocols/awareness.js';
import * as Y from 'yjs';
import { BinderyError } from '@bindery/wire/errors.ts';
import { Value } from '../observable.ts';
import { decodeServerFrame, encodeClientFrame, FrameError, VERSION, type ClientFrame, type ServerFrame, type Welcome } from './frames.ts';
import { mergeUpdates } from './merge.ts';
import type { RoomState } from './room.ts';
import type { OpenSocket, Socket } from './socket.ts';
import { UnsafeEdits } from './unsafe-edits.ts';

/** Milliseconds of silence after which the server is asked whether it is there, and after which it is taken not to be. */
const QUIET = 15_000;
const DEAD = 30_000;
/** Milliseconds until the first new attempt, and at most between two. */
const SOON = 250;
const LATE = 10_000;
/** Updates that may be on their way at once; what comes meanwhile waits, and is merged. */
const WINDOW = 32;
/** Updates that may wait before they are merged. */
const WAITING = 256;

export interface LinkOptions {
  readonly url: string;
  readonly doc: Y.Doc;
  readonly awareness: Awareness;
  readonly open: OpenSocket;
}

/**
 * Keeps a document in step with its server (`SPEC.md`). The document itself is the buffer: what the server lacks after an interruption is told by its
 * state vector, so nothing is piled up while nobody listens.
 */
export class Link {
  readonly state = new Value<RoomState>({
    phase: 'connecting',
    role: undefined,
    isSaved: true,
    error: undefined,
    lineage: undefined,
    run: undefined,
  });
  readonly #options: LinkOptions;
  #socket: Socket | undefined;
  /** Counts connections, and ends of them. */
  #turn = 0;
  #isOpen = false;
  #wasWhole = true;
  #lineage = '';
  #run = '';
  /** Edits made here, the last one that is on its way, and the last one that the server has safe. */
  #edits = 0;
  #sent = 0;
  #acked = 0;
  /** Numbers of edits that are on their way, and the clock of the document's client when they left. */
  #flying: { readonly number: number; readonly clock: number }[] = [];
  #waiting: Uint8Array[] = [];
  readonly #unsafe: UnsafeEdits;
  #isFlushing = false;
  #savers: { readonly upTo: number; resolve(): void; reject(error: Error): void }[] = [];
  #attempts = 0;
  #heardAt = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setInterval> | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#unsafe = new UnsafeEdits(options.doc);
    options.doc.on('update', this.#edited);
    options.awareness.on('update', this.#aware);
    this.#connect();
  }

  saved(): Promise<void> {
    const { phase, error } = this.state.get();
    if (this.#acked === this.#edits) return Promise.resolve();
    if (phase === 'ended' || phase === 'closed') return Promise.reject(error ?? closed());
    return new Promise((resolve, reject) => this.#savers.push({ upTo: this.#edits, resolve, reject }));
  }

  close(): void {
    if (this.#isOver()) return;
    // The others need not wait until we are missed.
    this.#options.awareness.setLocalState(null);
    this.#stop('closed', undefined);
  }

  #isOver(): boolean {
    const { phase } = this.state.get();
    return phase === 'closed' || phase === 'ended';
  }

  #stop(phase: 'closed' | 'ended', error: BinderyError | undefined): void {
    this.#options.doc.off('update', this.#edited);
    this.#options.awareness.off('update', this.#aware);
    this.#unsafe.end();
    this.#drop();
    clearTimeout(this.#retry);
    this.state.set({ ...this.state.get(), phase, error });
    for (const saver of this.#savers.splice(0)) saver.reject(error ?? closed());
  }

  #connect(): void {
    const turn = ++this.#turn;
    // What a connection says that was let go, nobody hears.
    const now =
      <A extends unknown[]>(act: (...args: A) => void) =>
      (...args: A): void => {
        if (turn === this.#turn) act(...args);
      };
    this.#socket = this.#options.open(this.#options.url, {
      opened: now(() => {
        this.#heardAt = Date.now();
        this.#watch = setInterval(() => this.#look(), QUIET / 3);
        const { doc } = this.#options;
        this.#send({ type: 'hello', version: VERSION, lineage: this.#lineage, stateVector: Y.encodeStateVector(doc) });
      }),
      received: now((bytes) => this.#received(bytes)),
      closed: now((code, reason) => {
        if (code >= 4400 && code < 4500)
          this.#stop('ended', new BinderyError('room_refused', `The server closed the room: ${reason || `code ${code}`}.`));
        else this.#again();
      }),
    });
  }

  /** Lets go of the connection, if there is one. */
  #drop(): void {
    this.#turn += 1;
    clearInterval(this.#watch);
    const socket = this.#socket;
    this.#socket = undefined;
    this.#isOpen = false;
    this.#flying = [];
    this.#waiting = [];
    this.#sent = this.#acked;
    socket?.close();
    const { awareness } = this.#options;
    const others = [...awareness.getStates().keys()].filter((client) => client !== awareness.clientID);
    removeAwarenessStates(awareness, others, this);
    // Their clocks too, or they would not be seen again until they move.
    for (const client of others) awareness.meta.delete(client);
  }

  #again(): void {
    this.#drop();
    if (this.state.get().phase === 'open') this.state.set({ ...this.state.get(), phase: 'offline' });
    const wait = Math.min(LATE, SOON * 2 ** this.#attempts++);
    // Spread, so that those whom one failure sent away do not all come back in one moment.
    this.#retry = setTimeout(() => this.#connect(), wait * (0.5 + Math.random() / 2));
  }

  #look(): void {
    this.#unsafe.tick();
    const silence = Date.now() - this.#heardAt;
    if (silence >= DEAD) this.#again();
    else if (silence >= QUIET) this.#send({ type: 'ping' });
  }

  #send(frame: ClientFrame): void {
    this.#socket?.send(encodeClientFrame(frame));
  }

  #received(bytes: Uint8Array): void {
    this.#heardAt = Date.now();
    try {
      this.#act(decodeServerFrame(bytes));
    } catch (error) {
      // What the server said was nothing: the next connection begins anew, with what both really have.
      if (this.#isOver()) throw error;
      this.#again();
    }
  }

  #act(frame: ServerFrame): void {
    const { doc, awareness } = this.#options;
    if (frame.type === 'refused') this.#stop('ended', refusal(frame.code, frame.message));
    else if (frame.type === 'welcome') this.#welcome(frame);
    else if (frame.type === 'pong') return;
    else if (!this.#isOpen) throw new FrameError('The server spoke before its welcome.');
    else if (frame.type === 'update') this.#apply(frame.update);
    else if (frame.type === 'awareness') applyAwarenessUpdate(awareness, frame.states, this);
    else this.#ack(frame.number);
    const isWhole = doc.store.pendingStructs === null;
    // What lacked in its welcome, the server lacks itself; another connection would not bring it.
    if (frame.type === 'welcome') this.#wasWhole = isWhole;
    else if (this.#wasWhole && !isWhole) throw new FrameError('The server left something out.');
  }

  #apply(update: Uint8Array): void {
    Y.applyUpdate(this.#options.doc, update, this);
  }

  #welcome(frame: Welcome): void {
    if (this.#isOpen) throw new FrameError('The server welcomed twice.');
    if (this.#lineage !== '' && frame.lineage !== this.#lineage) {
      this.#stop('ended', refusal('room_diverged', 'The server has another document under this name now.'));
      return;
    }
    // A server that began anew may have lost what others made, who may be gone; what it sent on to us, we have.
    const mayLack = this.#run !== '' && this.#run !== frame.run && frame.role !== 'read';
    this.#lineage = frame.lineage;
    this.#run = frame.run;
    this.#apply(frame.update);
    this.#isOpen = true;
    this.#attempts = 0;
    const { doc, awareness } = this.#options;
    const own = awareness.getLocalState();
    // With a new clock: the server has forgotten the state, others remember its end. First, so that it knows what is ours of what comes.
    if (own) awareness.setLocalState(own);
    if (mayLack || this.#edits > this.#acked) this.#transmit(Y.encodeStateAsUpdate(doc, frame.stateVector));
    this.state.set({ ...this.state.get(), phase: 'open', role: frame.role, lineage: frame.lineage, run: frame.run });
  }

  readonly #edited = (update: Uint8Array, origin: unknown): void => {
    if (origin === this) return;
    this.#edits += 1;
    if (this.state.get().isSaved) this.state.set({ ...this.state.get(), isSaved: false });
    if (!this.#isOpen) return;
    this.#waiting.push(update);
    if (this.#waiting.length >= WAITING) this.#waiting = [mergeUpdates(this.#waiting)];
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    // What is edited in one go leaves in one frame.
    queueMicrotask(() => {
      this.#isFlushing = false;
      this.#flush();
    });
  };

  #flush(): void {
    if (!this.#isOpen || this.#waiting.length === 0 || this.#flying.length >= WINDOW) return;
    const update = mergeUpdates(this.#waiting);
    this.#waiting = [];
    this.#transmit(update);
  }

  #transmit(update: Uint8Array): void {
    this.#sent = this.#edits;
    const { doc } = this.#options;
    this.#flying.push({ number: this.#edits, clock: Y.getState(doc.store, doc.clientID) });
    this.#send({ type: 'update', number: this.#edits, update });
  }

  #ack(number: number): void {
    if (number > this.#sent) throw new FrameError('The server has safe what it was never sent.');
    this.#acked = Math.max(this.#acked, number);
    const safe = this.#flying.findLast((each) => each.number <= this.#acked);
    this.#flying = this.#flying.filter((each) => each.number > this.#acked);
    if (safe) this.#unsafe.safeUpTo(safe.clock);
    this.#flush();
    const isSaved = this.#acked === this.#edits;
    if (isSaved !== this.state.get().isSaved) this.state.set({ ...this.state.get(), isSaved });
    const [done, left] = [this.#savers.filter(({ upTo }) => upTo <= this.#acked), this.#savers.filter(({ upTo }) => upTo > this.#acked)];
    this.#savers = left;
    for (const saver of done) saver.resolve();
  }

  readonly #aware = (changes: { added: number[]; updated: number[]; removed: number[] }, origin: unknown): void => {
    const { awareness } = this.#options;
    const isOwn = Object.values(changes).some((clients) => clients.includes(awareness.clientID));
    if (origin === this || !isOwn || !this.#isOpen) return;
    this.#send({ type: 'awareness', states: encodeAwarenessUpdate(awareness, [awareness.clientID]) });
  };
}

function closed(): BinderyError {
  return new BinderyError('room_closed', 'The room was closed before everything was saved.');
}

/** The refusals that have a name of their own; any other is told as the server told it. */
function refusal(code: string, message: string): BinderyError {
  const known = code === 'room_diverged' || code === 'room_read_only' ? code : 'room_refused';
  return new BinderyError(known, message);
}
