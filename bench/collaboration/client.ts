import { RawSocket } from './raw-socket.ts';
import { SPEECHES, type Speech } from './speech.ts';

/** The server that is measured, as its clients know it. */
export interface Target {
  readonly pid: number;
  readonly port: number;
  readonly key: string;
  readonly speech: keyof typeof SPEECHES;
}

export interface ClientOptions {
  /** Hears every update after the first answer; good until it returns. */
  readonly hear?: (bytes: Buffer) => void;
  /** Whether the first answer is kept, to look at what it says. */
  readonly isKept?: boolean;
}

/** Somebody in a room, without a document: says hello, sends what it is given, hears the rest. */
export class Client {
  /** Comes when the first answer is here whole: its bytes, and what it says if it is kept. */
  readonly complete: Promise<{ readonly bytes: number; readonly update: Uint8Array }>;
  readonly #socket: RawSocket;
  readonly #speech: Speech;
  readonly #room: string;
  #number = 0;

  constructor({ port, key, speech }: Target, room: string, { hear = () => undefined, isKept = false }: ClientOptions = {}) {
    this.#room = room;
    this.#speech = SPEECHES[speech];
    let resolve: (all: { bytes: number; update: Uint8Array }) => void;
    this.complete = new Promise((done) => (resolve = done));
    const heard = (bytes: Buffer, length: number): void => {
      const kind = this.#speech.kind(bytes);
      if (kind === 'update') hear(bytes);
      else if (kind === 'all') resolve({ bytes: length, update: isKept ? this.#speech.update(bytes).slice() : new Uint8Array() });
    };
    this.#socket = new RawSocket(port, this.#speech.path(room, key), heard, isKept);
  }

  /** Enters, and waits for all that the room has. */
  async enter(): Promise<{ readonly bytes: number; readonly update: Uint8Array }> {
    await this.#socket.opened;
    for (const message of this.#speech.hello(this.#room)) this.#socket.send(message);
    const late = setTimeout(() => {
      throw new Error(`No answer to the hello in ${this.#room}: ${this.#socket.ended ?? ''}`);
    }, 120_000);
    const all = await this.complete;
    clearTimeout(late);
    return all;
  }

  edit(update: Uint8Array): void {
    if (this.#socket.ended !== undefined) throw new Error(this.#socket.ended);
    this.#number += 1;
    this.#socket.send(this.#speech.edit(this.#room, this.#number, update));
  }

  deafen(): void {
    this.#socket.deafen();
  }

  leave(): void {
    this.#socket.close();
  }
}
