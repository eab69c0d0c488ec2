import type { Socket } from 'node:net';
import { join } from 'node:path';
import { decodeWireMessage, numberOf, type KernelMessage } from './kernel-messages.ts';
import { readConnection, socketAt } from './kernel-socket.ts';
import { subscribe } from './zmtp.ts';

const AGAIN_MS = 50;
const LONGEST_MS = 5000;
/** What it listens to in one second: who says more is heard by way of the server for a while, which says less. */
const SECOND_MS = 1000;
const MOST_HEARD_BYTES = 32 * 1024 * 1024;
const MOST_HEARD = 5000;
/** Numbers that may be missing in between. */
const MOST_ANSWERS = 50;
const NAME = /^[\w-]{1,100}$/;

export interface EarOptions {
  /** Where the kernels' connection files and sockets lie. What is in it may be anybody's. */
  readonly folder: string;
  readonly kernel: string;
  /** Messages in one second after which it hangs up: 5,000. */
  readonly most?: number;
  heard(message: KernelMessage, bytes: number): void;
  /** What is heard next may not be what was said next. */
  interrupted(): void;
}

/** Hears what a kernel publishes at its own socket, without its server: sooner, and with no promise to hear all of it. Where it can't, it is still. */
export class KernelEar {
  readonly #options: EarOptions;
  #socket: Socket | undefined;
  #isEnded = false;
  #waitMs = AGAIN_MS;
  #timer: NodeJS.Timeout | undefined;
  #isHastened = false;

  constructor(options: EarOptions) {
    this.#options = options;
    if (NAME.test(options.kernel)) void this.#listen();
  }

  close(): void {
    this.#isEnded = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  /** The kernel speaks, so that its socket is there: if it was tried too early, the next try need not wait. */
  hasten(): void {
    if (this.#isHastened) return;
    this.#isHastened = true;
    if (this.#timer === undefined || this.#isEnded) return;
    clearTimeout(this.#timer);
    void this.#listen();
  }

  async #listen(): Promise<void> {
    this.#timer = undefined;
    const { folder, kernel } = this.#options;
    const connection = await readConnection(join(folder, `kernel-${kernel}.json`));
    if (!connection || this.#isEnded) return;
    const socket = await socketAt(folder, connection.socket);
    if (this.#isEnded) socket?.destroy();
    else if (socket) this.#follow(socket, connection.key);
    else this.#again();
  }

  #follow(socket: Socket, key: string): void {
    this.#socket = socket;
    socket.on('error', () => undefined);
    const over = (): void => {
      this.#options.interrupted();
      this.#again();
    };
    // It may have closed already, and says so only once.
    if (socket.closed) return over();
    socket.on('close', over);
    let last: number | undefined;
    let [since, heard, bytes] = [performance.now(), 0, 0];
    subscribe(socket, (parts) => {
      if (this.#isEnded || socket.destroyed) return;
      if (performance.now() - since > SECOND_MS) [since, heard, bytes] = [performance.now(), 0, 0];
      const size = parts.reduce((sum, { length }) => sum + length, 0);
      heard += 1;
      bytes += size;
      if (heard > (this.#options.most ?? MOST_HEARD) || bytes > MOST_HEARD_BYTES) {
        this.#waitMs = LONGEST_MS;
        socket.destroy();
        return;
      }
      let message: KernelMessage;
      try {
        message = decodeWireMessage('iopub', parts, key);
      } catch {
        // The server's copy, if there is one, comes.
        this.#options.interrupted();
        return;
      }
      this.#waitMs = AGAIN_MS;
      const number = numberOf(message);
      // Answers on other channels have some of the numbers. What a publisher can't get rid of it leaves out, a lot at a time.
      if (number !== undefined && last !== undefined && number > last + MOST_ANSWERS) this.#options.interrupted();
      last = number;
      this.#options.heard(message, size);
    });
  }

  #again(): void {
    if (this.#isEnded) return;
    this.#timer = setTimeout(() => void this.#listen(), this.#waitMs);
    this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_MS);
  }
}
