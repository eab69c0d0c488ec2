import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import type { JsonObject } from '@bindery/rtc/json.ts';
import type { Role } from '@bindery/rtc/room/room.ts';
import { CommitPace } from './commit-pace.ts';
import { OWN, type Dialect } from './dialect.ts';
import { closeReason, type Member } from './audience.ts';
import type { Occupant } from './occupant.ts';
import { RelayRoom } from './relay-room.ts';
import { Frames, socketMember } from './socket-member.ts';
import { TurnPace } from './turn-pace.ts';

/** Who may enter which room, and as what. */
export interface Admission {
  readonly room: string;
  readonly role: Role;
  readonly user: JsonObject;
  /** Whose edits these are, where members are told apart. */
  readonly owner?: string;
  readonly dialect: Dialect;
  /** When it ends, in milliseconds since the epoch; without it never. */
  readonly until?: number;
  /** The history that the client means, where its address names one. Of another it is told `diverged`, and nothing else. */
  readonly lineage?: string;
}

/** Why nobody may enter, as a WebSocket is told: 4401 ends a client of ours for good. */
export class Refusal extends Error {
  readonly code: number;

  constructor(code: number, reason: string) {
    super(reason);
    this.code = code;
  }
}

export interface RelayOptions {
  /** Where the rooms are kept; made if it is not there. One relay at a time. */
  readonly folder: string;
  /** Decides from a request's head; a text says why nobody may enter. */
  readonly admit: (request: IncomingMessage) => Promise<Admission | string>;
  /** Fills a room that was opened, before anybody enters it, and stays in it. A `Refusal` says why it can't be; nobody enters then. */
  readonly occupy?: (name: string, room: RelayRoom) => Promise<Occupant | undefined>;
  /** Most connections, those that are being decided on among them: 10,000. */
  readonly maxConnections?: number;
  /** Most bytes of one message: 128 MiB. */
  readonly maxMessageBytes?: number;
  /** Milliseconds that a room without anybody stays in memory, and a document that nobody edits an object there: 60,000. */
  readonly idleMs?: number;
  /** Milliseconds for the first message: 10,000; between two looks whether a connection lives: 30,000. */
  readonly helloMs?: number;
  readonly beatMs?: number;
}

interface Entry {
  readonly admission: Admission;
  readonly room: RelayRoom;
}

/** As JupyterLab reads it: it offers to load the page anew. */
const DIVERGED = (sessionId: string): string => JSON.stringify({ reason: 'unknown_session', sessionId, reloadable: true });

const AWAY = 'HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 1\r\n\r\n';

/** The rooms of one folder, for WebSockets (`SPEC.md`, E). */
export class Relay {
  readonly #options: Required<Omit<RelayOptions, 'occupy'>> & Pick<RelayOptions, 'occupy'>;
  readonly #server: WebSocketServer;
  readonly #rooms = new Map<string, Promise<RelayRoom>>();
  readonly #closing = new Map<string, Promise<void>>();
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #beat: ReturnType<typeof setInterval>;
  readonly #quiet = new Set<WebSocket>();
  readonly #frames = new Frames();
  readonly #pace = new CommitPace();
  readonly #turns = new TurnPace();
  readonly #links = new Map<WebSocket, { readonly until: number; readonly end: () => void }>();
  #connections = 0;
  #isClosed = false;

  constructor(options: RelayOptions) {
    this.#options = {
      maxConnections: 10_000,
      maxMessageBytes: 128 * 1024 * 1024,
      idleMs: 60_000,
      helloMs: 10_000,
      beatMs: 30_000,
      ...options,
    };
    this.#server = new WebSocketServer({ noServer: true, maxPayload: this.#options.maxMessageBytes, perMessageDeflate: false });
    this.#beat = setInterval(() => this.#look(), this.#options.beatMs);
  }

  /** Takes an upgrade over. Never throws. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (this.#isClosed || this.#connections >= this.#options.maxConnections) {
      socket.end(AWAY);
      return;
    }
    this.#connections += 1;
    socket.once('close', () => (this.#connections -= 1));
    // Until it is decided, nothing is read; an error only means that it is over.
    socket.on('error', () => socket.destroy());
    this.#decide(request).then(
      (entry) => {
        if (!socket.destroyed) this.#server.handleUpgrade(request, socket, head, (open) => this.#opened(open, socket, entry));
      },
      () => socket.end(AWAY),
    );
  }

  /** Sends everybody away to come again, and comes when all that was taken is safe. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#beat);
    for (const name of Array.from(this.#rooms.keys())) void this.#evict(name);
    await Promise.all(this.#closing.values());
    for (const open of this.#server.clients) open.terminate();
    this.#server.close();
  }

  /** The room, which stays in memory for a while even if nobody enters it. Fails with a `Refusal` where it can't be filled. */
  async room(name: string): Promise<RelayRoom> {
    if (this.#isClosed) throw new Error('The relay was closed.');
    const room = await this.#room(name);
    this.#plan(name);
    return room;
  }

  /**
   * The room, which stays in memory until it is left, as if somebody were there who says nothing. `ended` is told when it is closed before. Fails with a
   * `Refusal` where it can't be filled.
   */
  async stay(name: string, ended: () => void): Promise<{ readonly room: RelayRoom; readonly leave: () => void }> {
    const room = await this.room(name);
    const member: Member = { role: 'read', dialect: OWN, user: {}, send: () => undefined, waiting: () => 0, close: ended };
    const leave = (): void => {
      room.leave(member);
      if (room.size === 0) this.#plan(name);
    };
    room.enter(member);
    return { room, leave };
  }

  /** The room if it is in memory. */
  async present(name: string): Promise<RelayRoom | undefined> {
    return this.#rooms.get(name)?.catch(() => undefined);
  }

  async #decide(request: IncomingMessage): Promise<Entry | Refusal> {
    try {
      const admission = await this.#options.admit(request);
      if (this.#isClosed) throw new Error('The relay was closed meanwhile.');
      if (typeof admission === 'string') return new Refusal(4401, admission);
      const room = await this.#room(admission.room);
      const { lineage = room.lineage } = admission;
      if (lineage !== room.lineage) return new Refusal(1003, DIVERGED(room.lineage));
      return { admission, room };
    } catch (error) {
      if (error instanceof Refusal) return error;
      throw error;
    }
  }

  /** The room, opened once for all who ask at the same time. */
  async #room(name: string): Promise<RelayRoom> {
    const found = await this.#rooms.get(name);
    if (found && !found.isEnded) return found;
    if (found) void this.#evict(name);
    await this.#closing.get(name);
    const known = this.#rooms.get(name);
    if (known) return known;
    const opening = this.#open(name);
    this.#rooms.set(name, opening);
    opening.then(
      () => this.#plan(name),
      () => this.#rooms.delete(name),
    );
    return opening;
  }

  async #open(name: string): Promise<RelayRoom> {
    await mkdir(this.#options.folder, { recursive: true, mode: 0o700 });
    // A name may be anything; a file's name may not.
    const file = join(this.#options.folder, `${createHash('sha256').update(name).digest('hex')}.log`);
    // Who occupies a room keeps its document.
    const isForOccupant = this.#options.occupy !== undefined;
    const quietMs = isForOccupant ? undefined : this.#options.idleMs;
    const room = await RelayRoom.open(file, { pace: this.#pace, quietMs, isForOccupant, turns: this.#turns });
    try {
      if (isForOccupant) room.occupy(await this.#options.occupy?.(name, room));
      return room;
    } catch (error) {
      await room.close();
      throw error;
    }
  }

  #opened(open: WebSocket, socket: Duplex, entry: Entry | Refusal): void {
    open.on('error', () => open.terminate());
    if (entry instanceof Refusal) {
      open.close(entry.code, closeReason(entry.message));
      return;
    }
    const { admission, room } = entry;
    const member = socketMember(open, socket, this.#frames, admission, () => room.drained(member));
    const end = (): void => {
      // What it says until it is gone is not heard.
      room.leave(member);
      open.close(4401, 'The share link has ended.');
    };
    if (admission.until !== undefined) this.#links.set(open, { until: admission.until, end });
    const hello = setTimeout(() => open.close(4408, 'Nothing was said.'), this.#options.helloMs);
    open.on('pong', () => this.#quiet.delete(open));
    open.on('message', (data: Buffer, isBinary: boolean) => {
      clearTimeout(hello);
      this.#quiet.delete(open);
      room.receive(member, isBinary ? data : new Uint8Array());
    });
    open.on('close', () => {
      clearTimeout(hello);
      this.#quiet.delete(open);
      this.#links.delete(open);
      room.leave(member);
      if (room.size === 0) this.#plan(admission.room);
    });
    room.enter(member);
  }

  /** Lets a room go when nobody has come for a while. */
  #plan(name: string): void {
    clearTimeout(this.#timers.get(name));
    if (!this.#rooms.has(name)) return;
    const look = async (): Promise<void> => {
      this.#timers.delete(name);
      const room = await this.#rooms.get(name)?.catch(() => undefined);
      if (room?.size === 0 && room.occupant?.isBusy()) this.#plan(name);
      else if (room?.size === 0) await this.#evict(name);
    };
    this.#timers.set(
      name,
      setTimeout(() => void look(), this.#options.idleMs),
    );
  }

  /** From now on the room is opened anew, when this one has closed its file. */
  #evict(name: string): Promise<void> {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
    const room = this.#rooms.get(name);
    this.#rooms.delete(name);
    if (!room) return this.#closing.get(name) ?? Promise.resolve();
    const closed = room
      .then((each) => each.close())
      .catch(() => undefined)
      .finally(() => this.#closing.delete(name));
    this.#closing.set(name, closed);
    return closed;
  }

  /** Ends connections that did not answer since the last look, and those that may not be any longer. */
  #look(): void {
    for (const { until, end } of this.#links.values()) if (until <= Date.now()) end();
    for (const open of this.#server.clients) {
      if (this.#quiet.has(open)) open.terminate();
      else {
        this.#quiet.add(open);
        open.ping();
      }
    }
  }
}
