import * as decoding from 'lib0/decoding';
import { WebSocket, type ClientOptions } from 'ws';
import * as Y from 'yjs';
import { yMessage } from './y-message.ts';

/** A document as JupyterLab's docprovider keeps it: the messages that it sends, and nothing of what it shows. */
export class LabClient {
  readonly doc: Y.Doc;
  /** The server's answers to `save`, in order. */
  readonly saves: string[] = [];
  readonly #socket: WebSocket;
  readonly #synced = Promise.withResolvers<void>();
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  #asked = 0;

  /** @param doc what it has already, when it comes again */
  constructor(url: string, options: ClientOptions, doc = new Y.Doc()) {
    this.doc = doc;
    this.#socket = new WebSocket(url, options);
    this.closed = new Promise((resolve) => {
      this.#socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    this.#synced.promise.catch(() => undefined);
    this.#socket.on('error', (error) => this.#synced.reject(error));
    this.#socket.on('close', (code, reason) => this.#synced.reject(new Error(`${code} ${reason.toString()}`)));
    this.#socket.on('open', () => this.#say(0, 0, Y.encodeStateVector(this.doc)));
    this.#socket.on('message', (data: Buffer) => this.#hear(data));
    const tell = (update: Uint8Array, origin: unknown): void => {
      if (origin !== this) this.#say(0, 2, update);
    };
    this.doc.on('update', tell);
    this.#socket.on('close', () => this.doc.off('update', tell));
  }

  /** Comes when it has what the server had. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** Says who it is, and what else JupyterLab says of itself. */
  present(state: object): void {
    this.#say(1, yMessage(1, this.doc.clientID, 1, JSON.stringify(state)));
  }

  save(): void {
    this.#say(2, 'save', ++this.#asked);
  }

  close(): void {
    this.#socket.close();
  }

  #say(...parts: (number | string | Uint8Array)[]): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(yMessage(...parts));
  }

  #hear(data: Buffer): void {
    const from = decoding.createDecoder(data);
    const type = decoding.readVarUint(from);
    if (type === 2) this.saves.push((JSON.parse(decoding.readVarString(from)) as { status: string }).status);
    if (type !== 0) return;
    const step = decoding.readVarUint(from);
    const content = decoding.readVarUint8Array(from);
    if (step === 0) this.#say(0, 1, Y.encodeStateAsUpdate(this.doc, content));
    else Y.applyUpdate(this.doc, content, this);
    if (step === 1) this.#synced.resolve();
  }
}
