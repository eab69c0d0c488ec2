import * as Y from 'yjs';
import type { JsonObject } from '@bindery/rtc/json.ts';
import { Listeners } from '@bindery/rtc/observable.ts';
import { VERSION, type ClientFrame, type Welcome } from '@bindery/rtc/room/frames.ts';
import { mergeUpdates } from '@bindery/rtc/room/merge.ts';
import type { Role } from '@bindery/rtc/room/room.ts';
import { Arrivals, type Arrival } from './arrivals.ts';
import { Audience, closeReason, type Member, type Seat } from './audience.ts';
import type { CommitPace } from './commit-pace.ts';
import type { Said } from './dialect.ts';
import { Lobby } from './lobby.ts';
import { LogGrowth } from './log-growth.ts';
import { AUTHOR, originOf, type Author, type Occupant, type Origin } from './occupant.ts';
import { Presence } from './presence.ts';
import { Receipts } from './receipts.ts';
import { HEAD } from './record.ts';
import { RoomDocument } from './room-document.ts';
import { RoomLog } from './room-log.ts';
import { takeIn } from './take-in.ts';
import { takesOutWritings } from './takes-out.ts';
import type { TurnPace } from './turn-pace.ts';
import { Welcomes } from './welcomes.ts';

/** Updates of one member that may wait for the log's next time: half of what a client sends before it waits itself (rtc's U5). */
const MOST_UNSAFE = 16;
/** An update that says nothing. */
const NOTHING = new Uint8Array([0, 0]);

export interface RelayRoomOptions {
  /** How often the logs of all rooms are written; without it, at once. */
  readonly pace?: CommitPace;
  /** Milliseconds without an edit after which the document rests; without it never. */
  readonly quietMs?: number | undefined;
  /** When a turn ends (T1); without it, with that of the event loop. */
  readonly turns?: Pick<TurnPace, 'end' | 'sent'>;
  /** Whether an occupant will come (O3). */
  readonly isForOccupant?: boolean;
}

/** One shared document in memory, its log, and who is connected (`SPEC.md`; the frames: rtc's `SPEC.md`). */
export class RelayRoom {
  #occupant: Occupant | undefined;
  readonly #log: RoomLog;
  readonly #run = crypto.randomUUID();
  readonly #presence = new Presence();
  readonly #stateListeners = new Listeners();
  readonly #audience: Audience;
  readonly #arrivals: Arrivals;
  readonly #turns: RelayRoomOptions['turns'];
  readonly #document: RoomDocument;
  readonly #growth: LogGrowth;
  readonly #welcomes = new Welcomes();
  #lastAppend: Promise<void> = Promise.resolve();
  #receipts: Receipts | undefined;
  readonly #lobby = new Lobby();
  #isEnded = false;
  /** Updates of the document that were not sent on yet. */
  readonly #fresh: Uint8Array[] = [];
  #isTaking = false;
  /** Whether they take out what somebody wrote in (T7). */
  #takesOut = false;

  private constructor(log: RoomLog, updates: readonly Uint8Array[], { quietMs, isForOccupant, turns }: RelayRoomOptions) {
    this.#log = log;
    this.#turns = turns;
    this.#arrivals = new Arrivals(turns, () => this.#turn());
    this.#document = new RoomDocument({
      updates,
      quietMs,
      keepsGarbage: isForOccupant,
      changed: (update) => {
        this.#fresh.push(update);
        this.#welcomes.forget();
      },
      mayRest: () => this.#arrivals.isEmpty,
    });
    this.#audience = new Audience(this.#document);
    this.#growth = new LogGrowth(
      log.bytes,
      updates.slice(1).reduce((bytes, update) => bytes - HEAD - update.length, log.bytes),
    );
  }

  /** Opens the room that is kept in this file, or a new one. Throws as `RoomLog.open` does. */
  static async open(file: string, options: RelayRoomOptions = {}): Promise<RelayRoom> {
    const { log, updates } = await RoomLog.open(file, options.pace);
    return new RelayRoom(log, updates, options);
  }

  get occupant(): Occupant | undefined {
    return this.#occupant;
  }

  /** To be called by who opened the room for one, before anybody enters. */
  occupy(occupant: Occupant | undefined): void {
    this.#occupant = occupant;
    this.#document.collect();
  }

  /** The document. It is changed by `edit` and by members, in no other way. Only an occupant may keep it (Q). */
  get doc(): Y.Doc {
    return this.#document.live;
  }

  /** True while nobody has edited for a while, and the document is bytes. */
  get isResting(): boolean {
    return this.#document.isResting;
  }

  /** How many are connected: with none, the room may be closed. */
  get size(): number {
    return this.#audience.size;
  }

  /** Names the history of the document. */
  get lineage(): string {
    return this.#log.lineage;
  }

  /** What those who are there say of themselves. */
  get states(): JsonObject[] {
    return this.#presence.states();
  }

  /** Calls `heard` when they say something else, come or go. Returns what ends it. */
  watchStates(heard: () => void): () => void {
    return this.#stateListeners.add(heard);
  }

  /** True when it was closed, or its log failed: everybody was sent away, and it has to be opened anew. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  /**
   * An edit of the server's own, sent on at once (T5). Comes when it is safe; fails when the log failed, or the room was closed before. What `body`
   * throws comes out when all is as a transaction of Yjs leaves it.
   */
  async edit(body: () => void): Promise<void> {
    // From within what others edit: afterwards.
    if (this.#isTaking) await Promise.resolve();
    this.#turn();
    if (this.#isEnded) throw new Error('The room was closed.');
    this.#audience.leaveBehind();
    try {
      this.#transact(undefined, body);
    } finally {
      this.#publish(false);
    }
    await this.#lastAppend;
  }

  enter(member: Member): void {
    if (this.#isEnded) member.close(1013, 'The room is being closed.');
    else this.#audience.enter(member, `${originOf(member.role)} ${member.owner ?? ''}`);
  }

  /** Takes one message of a connection. What is no frame, or not allowed, ends the connection and nothing else. */
  receive(member: Member, bytes: Uint8Array): void {
    const seat = this.#audience.seatOf(member);
    if (!seat) return;
    try {
      if (this.#hasToWait(seat, bytes)) return;
      this.#take(seat, member.dialect.read(bytes, seat.isWelcome));
    } catch (error) {
      this.#expel(seat, 4400, (error as Error).message);
    }
  }

  /** To be called when bytes of a connection have gone. */
  drained(member: Member): void {
    const seat = this.#audience.seatOf(member);
    if (seat && this.#audience.catchUp(seat)) this.#tellPresence(seat);
  }

  leave(member: Member): void {
    const seat = this.#audience.seatOf(member);
    if (!seat) return;
    this.#audience.leave(seat);
    const states = this.#presence.leave(seat);
    if (states) this.#tellStates(states);
  }

  /** Sends everybody away to come again, and comes when all that was taken is safe, or cannot be. */
  async close(): Promise<void> {
    await this.#occupant?.leave();
    this.#turn();
    this.#end('The room was closed.');
    if (this.#growth.isTooLongToLeave(this.#log.bytes)) this.#compact();
    await this.#lastAppend.catch(() => undefined);
    await this.#log.close();
    this.#document.close();
  }

  #end(reason: string): void {
    this.#isEnded = true;
    this.#audience.close(1013, reason);
  }

  #expel(seat: Seat, code: number, reason: string): void {
    this.leave(seat.member);
    seat.member.close(code, closeReason(reason));
  }

  /** Whoever comes while something must be safe before it is told: it would be in the welcome (T7). */
  #hasToWait(seat: Seat, bytes: Uint8Array): boolean {
    if (seat.isWelcome) return false;
    if (!this.#lobby.has(seat)) {
      this.#turn();
      if (!this.#audience.isHolding) return false;
      this.#afterwards(() => this.#lobby.take(seat).forEach((each) => this.receive(seat.member, each)));
    }
    this.#lobby.add(seat, bytes);
    return true;
  }

  /** Now, or when all that has to be safe before it is told was told. */
  #afterwards(act: () => void): void {
    if (this.#audience.isHolding) this.#lastAppend.then(() => this.#afterwards(act)).catch(() => undefined);
    else act();
  }

  #refuse(seat: Seat, code: string, message: string): void {
    this.#audience.tell(seat, { type: 'refused', code, message });
    this.#expel(seat, 4403, message);
  }

  #take(seat: Seat, frame: Said): void {
    if ((frame.type === 'hello') === seat.isWelcome) throw new Error('A connection begins with one hello.');
    if (frame.type === 'hello') this.#welcome(seat, frame);
    else if (frame.type === 'update') this.#arrive({ seat, number: frame.number, update: frame.update });
    else if (frame.type === 'ping') this.#audience.tell(seat, { type: 'pong' });
    else if (frame.type === 'lack') this.#afterwards(() => this.#audience.tellLacking(seat, frame.stateVector));
    else if (frame.type === 'who') this.#tellPresence(seat);
    else if (frame.type === 'save') void this.#save(seat, frame.id);
    else {
      const { user, dialect } = seat.member;
      const states = this.#presence.take(seat, user, frame.states, dialect.manners);
      // A lenient one takes the connection for dead if it never hears itself (Y4).
      if (states) this.#tellStates(states, dialect.manners === 'lenient' ? undefined : seat);
    }
  }

  #tellStates(states: Uint8Array, except?: Seat): void {
    this.#audience.tellAll({ type: 'awareness', states }, except);
    this.#stateListeners.tell();
  }

  async #save(seat: Seat, id: number): Promise<void> {
    this.#turn();
    const mayWrite = seat.member.role !== 'read';
    const status = mayWrite && this.#occupant ? await this.#occupant.save() : 'skipped';
    this.#audience.tell(seat, { type: 'saved', id, status });
  }

  #tellPresence(seat: Seat): void {
    const states = this.#presence.all();
    if (states) this.#audience.tell(seat, { type: 'awareness', states });
  }

  #welcome(seat: Seat, hello: Extract<ClientFrame, { type: 'hello' }>): void {
    if (hello.version !== VERSION) this.#refuse(seat, 'version', `This server speaks version ${VERSION} of the protocol.`);
    else if (hello.lineage !== '' && hello.lineage !== this.lineage) {
      this.#refuse(seat, 'room_diverged', 'The server has another document under this name now.');
    } else {
      // Before the turn, so that nothing that is in the welcome comes again as an update.
      this.#turn();
      const isEmpty = hello.stateVector.length === 1 && hello.stateVector[0] === 0;
      const { dialect, role } = seat.member;
      const written = (update: Uint8Array): readonly Uint8Array[] => dialect.write(this.#welcomeFrame(role, update));
      const welcome = isEmpty
        ? this.#welcomes.of(seat.member, () => written(this.#document.whole()))
        : written(this.#document.lacking(hello.stateVector));
      seat.isWelcome = true;
      this.#audience.tellWritten(seat, welcome);
      this.#tellPresence(seat);
    }
  }

  #welcomeFrame(role: Role, update: Uint8Array): Welcome {
    return { type: 'welcome', lineage: this.lineage, run: this.#run, role, stateVector: this.#document.vector(), update };
  }

  #arrive(arrival: Arrival): void {
    const { seat } = arrival;
    if (seat.member.role === 'read') {
      const refusal = ['room_read_only', 'You may read in this room and not write.'] as const;
      // A lenient one would come again with the same (Y5).
      if (seat.member.dialect.manners === 'strict') this.#refuse(seat, ...refusal);
      else this.#audience.tell(seat, { type: 'refused', code: refusal[0], message: refusal[1] });
      return;
    }
    this.#arrivals.add(arrival);
  }

  /** Takes in all that arrived, sends it on as one, and tells the senders when it is safe (T1, T2). */
  #turn(): void {
    const groups = this.#isEnded ? [] : this.#arrivals.take();
    if (groups.length === 0) return;
    this.#audience.leaveBehind();
    // In one turn nobody has seen yet what the others edit, so that their order does not matter.
    // But for what several bring that another has made: those who may more bring it.
    const taken = groups.flatMap((those) => this.#transact(this.#author(those), () => those.filter((arrival) => this.#apply(arrival))));
    const isAll = groups.reduce((count, those) => count + those.length, 0) === taken.length;
    const only = isAll ? taken[0]?.seat : undefined;
    this.#publish(true, only && taken.every(({ seat }) => seat === only) ? only : undefined);
    for (const { seat, number } of taken) {
      if (!this.#receipts) this.#audience.tellSafe(seat, number);
      else if (this.#receipts.add(seat, number) === MOST_UNSAFE) this.#log.hurry();
    }
  }

  /** Who brings these: members of one owner and origin. */
  #author(those: readonly Arrival[]): Author & { readonly origin: Origin } {
    const { owner = '', role = 'read' } = those[0]?.seat.member ?? {};
    const made = (client: number): boolean =>
      those.some(({ seat }) => {
        const own = this.#presence.clientOf(seat);
        return own === undefined || own === client;
      });
    return { owner, made, origin: originOf(role) };
  }

  /** @param by whose edits these are; undefined for the server */
  #transact<T>(by: (Author & { readonly origin: Origin }) | undefined, body: () => T): T {
    this.#isTaking = true;
    try {
      return this.doc.transact((transaction) => {
        if (by) transaction.meta.set(AUTHOR, by);
        try {
          return body();
        } finally {
          this.#takesOut ||= takesOutWritings(transaction);
        }
      }, by?.origin ?? 'server');
    } finally {
      this.#isTaking = false;
    }
  }

  /** Sends on and writes down what the document was changed by, but not to who alone made it. */
  #publish(mayWait: boolean, only?: Seat): void {
    const fresh = this.#fresh.splice(0);
    if (fresh.length === 0) return;
    // What observers add in the same breath is not the sender's.
    const isAnswered = fresh.length > 1;
    const except = isAnswered ? undefined : only;
    const mustBeSafe = this.#takesOut || isAnswered || this.#audience.isHolding;
    this.#takesOut = false;
    // As one record: no crash leaves the one without the other.
    const write = this.#log.append(isAnswered ? mergeUpdates(fresh) : (fresh[0] as Uint8Array), mayWait && !mustBeSafe);
    for (const update of fresh) {
      if (mustBeSafe) this.#audience.hold({ type: 'update', update }, write, except);
      else {
        const told = this.#audience.tellAll({ type: 'update', update }, except);
        this.#turns?.sent(told, performance.now());
      }
    }
    this.#keep(write);
  }

  /** Those whose updates are in one write are told when it is safe, each once. */
  #keep(append: Promise<void>): void {
    if (append === this.#lastAppend) return;
    this.#lastAppend = append;
    const receipts = new Receipts();
    this.#receipts = receipts;
    append.then(
      () => {
        for (const member of this.#audience.release(append)) this.drained(member);
        if (this.#receipts === receipts) this.#receipts = undefined;
        receipts.tell(this.#audience);
        if (!this.#isEnded && this.#growth.isTooLong(this.#log.bytes)) this.#compact();
      },
      (error: Error) => this.#end(error.message),
    );
  }

  /** False for an update that is none, or needs what is not here: its sender is sent away, and nothing of it waits for what may never come. */
  #apply({ seat, update }: Arrival): boolean {
    const taken = takeIn(this.doc, update);
    const { manners } = seat.member.dialect;
    let problem: string | undefined;
    if (taken === 'none') problem = 'The update is none.';
    else if (taken === 'partial' && manners === 'strict') problem = 'The update needs something that the server has not got.';
    // A lenient one is asked for all that the server lacks, when the turn is over (Y6).
    else if (taken === 'partial') queueMicrotask(() => this.#audience.tell(seat, this.#welcomeFrame(seat.member.role, NOTHING)));
    if (problem) this.#expel(seat, 4400, problem);
    return !problem;
  }

  #compact(): void {
    this.#growth.follow(
      this.#log.compact(() => this.#document.whole()),
      () => this.#log.bytes,
    );
  }
}
