import type { JsonObject } from '@bindery/rtc/json.ts';
import type { Role } from '@bindery/rtc/room/room.ts';
import type { Dialect, Told } from './dialect.ts';
import type { RoomDocument } from './room-document.ts';

/** Bytes that may wait for one connection before it is left behind, and below which it is caught up (B1, B2). */
const MOST = 4 * 1024 * 1024;
const FEW = 1024 * 1024;

/** A connection, as the room sees it. */
export interface Member {
  readonly role: Role;
  readonly dialect: Dialect;
  /** Who it is, as the server knows it; put into what it says of itself. */
  readonly user: JsonObject;
  /** Whose edits these are, where the server tells its members apart: nobody else has this name. */
  readonly owner?: string | undefined;
  send(frame: Uint8Array): void;
  /** Bytes that were given to `send` and have not gone yet. */
  waiting(): number;
  close(code: number, reason: string): void;
}

/** A member and how far it has come. */
export interface Seat {
  readonly member: Member;
  /** The same for members whose edits may be in one transaction. */
  readonly group: string;
  isWelcome: boolean;
  /** What it had when it was left behind. */
  behind: Uint8Array | undefined;
  /** The highest number that is safe and was not told, because it is behind. */
  safe: number | undefined;
}

/** Who is connected to a room: each is told what it can take, and who takes too slowly gets the rest in one piece later (`SPEC.md`, B). */
export class Audience {
  readonly #document: Pick<RoomDocument, 'vector' | 'lacking'>;
  readonly #seats = new Map<Member, Seat>();
  /** What is not told yet, and to whom. */
  readonly #held: { readonly frame: Told; readonly write: Promise<void>; readonly seats: readonly Seat[] }[] = [];

  constructor(document: Pick<RoomDocument, 'vector' | 'lacking'>) {
    this.#document = document;
  }

  get size(): number {
    return this.#seats.size;
  }

  enter(member: Member, group: string): void {
    this.#seats.set(member, { member, group, isWelcome: false, behind: undefined, safe: undefined });
  }

  seatOf(member: Member): Seat | undefined {
    return this.#seats.get(member);
  }

  leave({ member }: Seat): void {
    this.#seats.delete(member);
  }

  /** Sends everybody away. */
  close(code: number, reason: string): void {
    for (const { member } of this.#seats.values()) member.close(code, closeReason(reason));
    this.#seats.clear();
    this.#held.length = 0;
  }

  /** To one that is still here; whoever is behind gets what matters when it has caught up. */
  tell(seat: Seat, frame: Told): void {
    if (!this.#seats.has(seat.member) || !this.#isReady(seat)) return;
    for (const message of seat.member.dialect.write(frame)) seat.member.send(message);
  }

  /** To one that has this, in one piece what it has not. */
  tellLacking(seat: Seat, stateVector: Uint8Array): void {
    this.tell(seat, { type: 'update', update: this.#document.lacking(stateVector) });
  }

  /** To one, what was written already. */
  tellWritten(seat: Seat, messages: readonly Uint8Array[]): void {
    for (const message of messages) seat.member.send(message);
  }

  /** To all that were welcomed; the message of each dialect is written once. Returns how many it was sent to. */
  tellAll(frame: Told, except?: Seat): number {
    return this.#tell(frame, this.#told(frame, except));
  }

  /** The same, not before `release` is called for this write (T7); an update that comes behind it has to wait, too. */
  hold(frame: Told, write: Promise<void>, except?: Seat): void {
    this.#held.push({ frame, write, seats: [...this.#told(frame, except)] });
  }

  get isHolding(): boolean {
    return this.#held.length > 0;
  }

  /** Lets go what waits for this write, and all before it. Returns who is behind and may have waited for that. */
  release(write: Promise<void>): Member[] {
    const last = this.#held.findLastIndex((each) => each.write === write);
    for (const { frame, seats } of this.#held.splice(0, last + 1)) {
      this.#tell(
        frame,
        seats.filter(({ member }) => this.#seats.has(member)),
      );
    }
    return last === -1 ? [] : [...this.#seats.values()].flatMap(({ behind, member }) => (behind ? [member] : []));
  }

  *#told(frame: Told, except: Seat | undefined): Generator<Seat> {
    // Of an update, those who have too much waiting were left behind before it was taken in: what they are marked with lacks it.
    const isReady = (seat: Seat): boolean => (frame.type === 'update' ? !seat.behind : this.#isReady(seat));
    for (const seat of this.#seats.values()) if (seat !== except && seat.isWelcome && isReady(seat)) yield seat;
  }

  #tell(frame: Told, seats: Iterable<Seat>): number {
    let told = 0;
    const written = new Map<Dialect, readonly Uint8Array[]>();
    for (const { member } of seats) {
      const known = written.get(member.dialect) ?? member.dialect.write(frame);
      written.set(member.dialect, known);
      for (const message of known) member.send(message);
      told += 1;
    }
    return told;
  }

  /** Tells one that all of its updates up to this number are safe, now or when it has caught up. */
  tellSafe(seat: Seat, number: number): void {
    if (!this.#seats.has(seat.member)) return;
    if (this.#isReady(seat)) this.tell(seat, { type: 'ack', number });
    else seat.safe = Math.max(seat.safe ?? 0, number);
  }

  /** Before something is taken in: marks those who have too much waiting, with what they have now (B1). */
  leaveBehind(): void {
    for (const seat of this.#seats.values()) if (seat.isWelcome && !seat.behind && isSlow(seat)) seat.behind = this.#document.vector();
  }

  /** To be called when bytes of a connection have gone: gives it what it lacks, if it can take it now (B2). True when it did. */
  catchUp(seat: Seat): boolean {
    if (!seat.behind || this.isHolding || seat.member.waiting() > FEW) return false;
    const had = seat.behind;
    seat.behind = undefined;
    this.tellLacking(seat, had);
    if (seat.safe !== undefined) this.tell(seat, { type: 'ack', number: seat.safe });
    seat.safe = undefined;
    return true;
  }

  #isReady(seat: Seat): boolean {
    if (!seat.behind && isSlow(seat)) seat.behind = this.#document.vector();
    return !seat.behind;
  }
}

function isSlow({ member }: Seat): boolean {
  return member.waiting() > MOST;
}

/** A close reason has 123 bytes at most (RFC 6455). */
export function closeReason(text: string): string {
  return Buffer.from(text).subarray(0, 120).toString().replaceAll('\ufffd', '');
}
