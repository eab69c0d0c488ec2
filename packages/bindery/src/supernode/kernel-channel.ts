import { randomUUID } from 'node:crypto';
import { WebSocket, type ClientOptions } from 'ws';
import type { JsonObject } from '@bindery/rtc/json.ts';
import { credentials, type JupyterAddress } from './jupyter-server.ts';
import { KernelEar } from './kernel-ear.ts';
import { decodeMessage, encodeMessage, PROTOCOL, type KernelMessage, type KernelPath, type KernelProtocol } from './kernel-messages.ts';
import { NewsOrder } from './news-order.ts';

export interface ChannelOptions {
  readonly address: JupyterAddress;
  readonly kernel: string;
  /**
   * Names this end over connections and restarts: while nobody is connected to a kernel, its server keeps the kernel's messages for who was
   * the last, and gives them to a connection of the same name.
   */
  readonly session: string;
  readonly listener: ChannelListener;
  /** Milliseconds of the first wait before coming again, doubled up to 5 s. */
  readonly waitMs?: number;
}

export interface ChannelListener {
  /** Connected (again). */
  opened(): void;
  /** No longer connected; it comes again. */
  lost(): void;
  message(message: KernelMessage): void;
  /** The server knows no such kernel, or it was told to end. Nothing follows. */
  gone(): void;
}

/** What a request may carry beside its content. */
export interface Carried {
  /** Its id; a new one by default. */
  readonly id?: string;
  readonly metadata?: JsonObject;
  readonly buffers?: readonly Uint8Array[];
  /** The message that it answers. */
  readonly parent?: KernelMessage['parent'];
}

const LONGEST_WAIT_MS = 5000;
const PING_MS = 30_000;
const MOST_BYTES = 256 * 1024 * 1024;

/**
 * A client of one kernel's WebSocket, for as long as the kernel is there: it connects, and comes again when the connection is lost. What the
 * kernel publishes is also heard at its own socket, where that can be reached: it comes sooner there, and past the server's limits.
 */
export class KernelChannel {
  readonly #options: ChannelOptions;
  readonly #news: NewsOrder<KernelMessage>;
  readonly #ear: KernelEar | undefined;
  /** The kernel's name for itself, as far as it was heard. */
  #speaker: string | undefined;
  #socket: WebSocket | undefined;
  #protocol: KernelProtocol = PROTOCOL;
  #isOpen = false;
  #isEnded = false;
  #waitMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ChannelOptions) {
    this.#options = options;
    this.#waitMs = options.waitMs ?? 125;
    const { address, kernel, listener } = options;
    this.#news = new NewsOrder((message) => listener.message(message));
    if (address.kernels !== undefined) {
      this.#ear = new KernelEar({
        folder: address.kernels,
        kernel,
        heard: (message, bytes) => {
          // Without the WebSocket nobody says which message is the next.
          this.#speaker = message.header.session;
          if (this.#isOpen) this.#news.quick(message.header.msg_id, message, bytes);
        },
        interrupted: () => this.#news.interrupted(),
      });
    }
    this.#connect();
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Sends a message and returns its id. Throws when it is not connected. */
  send(channel: KernelPath, type: string, content: JsonObject, carried: Carried = {}): string {
    if (!this.#socket || !this.#isOpen) throw new Error('The kernel is not connected.');
    const id = carried.id ?? randomUUID();
    const header = {
      msg_id: id,
      msg_type: type,
      session: this.#options.session,
      username: '',
      date: new Date().toISOString(),
      version: '5.4',
    };
    const { metadata = {}, buffers = [], parent = {} } = carried;
    this.#socket.send(encodeMessage({ channel, header, parent, metadata, content, buffers }, this.#protocol));
    return id;
  }

  /** Gives a connection up on which nothing gets through, and connects anew. */
  again(): void {
    this.#socket?.terminate();
  }

  /** Leaves. What the kernel says from now on is kept for who comes with the same session. */
  close(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#isOpen = false;
    clearTimeout(this.#timer);
    this.#ear?.close();
    this.#news.interrupted();
    this.#socket?.close();
  }

  #connect(): void {
    const { address, kernel, session } = this.#options;
    const path = `api/kernels/${encodeURIComponent(kernel)}/channels?session_id=${encodeURIComponent(session)}`;
    const base = new URL(address.url);
    const url = address.socketPath
      ? `ws+unix:${address.socketPath}:${base.pathname}${path}`
      : new URL(path, base).href.replace(/^http/, 'ws');
    const options: ClientOptions = {
      headers: { ...credentials(address), ...(address.socketPath ? { host: base.host } : {}) },
      perMessageDeflate: false,
      maxPayload: MOST_BYTES,
      handshakeTimeout: 60_000,
    };
    this.#socket = new WebSocket(url, [PROTOCOL], options);
    this.#follow(this.#socket);
  }

  #follow(socket: WebSocket): void {
    let isAlive = true;
    const pings = setInterval(() => {
      if (!isAlive) socket.terminate();
      else if (socket.readyState === WebSocket.OPEN) {
        isAlive = false;
        socket.ping();
      }
    }, PING_MS);
    pings.unref();
    socket.on('pong', () => (isAlive = true));
    socket.on('upgrade', ({ headers }) => {
      this.#protocol = headers['sec-websocket-protocol'] === PROTOCOL ? PROTOCOL : '';
      // Servers before 2.0, and those told so, say nothing and mean the older form. To come again would not do: they have given this connection
      // what they kept.
      headers['sec-websocket-protocol'] = PROTOCOL;
    });
    socket.on('open', () => {
      this.#isOpen = !this.#isEnded;
      this.#waitMs = this.#options.waitMs ?? 125;
      if (this.#isOpen) this.#options.listener.opened();
    });
    socket.on('message', (data: Buffer, isBinary: boolean) => {
      isAlive = true;
      if (!this.#isEnded) this.#take(data, isBinary);
    });
    socket.on('error', (error) => {
      if (error.message === 'Unexpected server response: 404') this.#gone();
    });
    socket.on('close', () => {
      clearInterval(pings);
      this.#lost();
    });
  }

  #take(data: Buffer, isBinary: boolean): void {
    let message: KernelMessage;
    try {
      message = decodeMessage(data, isBinary, this.#protocol);
    } catch {
      // One that nobody can read: there is nothing that could be done with it.
      return;
    }
    this.#pass(message);
    // The server leaves the connection open after a kernel's end.
    if (message.header.msg_type === 'shutdown_reply' && message.content['restart'] === false) this.#gone();
  }

  #pass(message: KernelMessage): void {
    const { channel, header } = message;
    const isKernels = this.#speaker === undefined || header.session === this.#speaker;
    if (this.#ear && channel === 'iopub' && isKernels) {
      this.#ear.hasten();
      this.#news.sure(header.msg_id, message);
    }
    // The server's word that it leaves something out, which was heard.
    else if (channel !== 'iopub' || header.msg_type !== 'stream' || !this.#news.isAhead) this.#options.listener.message(message);
  }

  #gone(): void {
    if (this.#isEnded) return;
    this.close();
    this.#options.listener.gone();
  }

  #lost(): void {
    if (this.#isEnded) return;
    const wasOpen = this.#isOpen;
    this.#isOpen = false;
    this.#news.interrupted();
    this.#timer = setTimeout(() => this.#connect(), this.#waitMs * (0.5 + Math.random() / 2));
    this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS);
    if (wasOpen) this.#options.listener.lost();
  }
}
