import { connect } from '@bindery/rtc/room/connect.ts';
import type { Room } from '@bindery/rtc/room/room.ts';
import { string } from '@bindery/rtc/tables/fields.ts';
import { defineTable } from '@bindery/rtc/tables/table.ts';

/** A room as small as can be: notes that have a title. */
export const TABLES = { notes: defineTable({ title: string() }) };
export type NotesRoom = Room<typeof TABLES>;

/** Enters a room and comes back when it is open, or refused; `rooms` gets it at once, to be closed in the end. */
export async function enterNotes(url: string, rooms: NotesRoom[]): Promise<NotesRoom> {
  const room = connect({ url, tables: TABLES });
  rooms.push(room);
  await untilRoom(room, () => ['open', 'ended'].includes(room.state.get().phase));
  return room;
}

/** Looks whenever something in the room changes, until it is so. */
export function untilRoom(room: NotesRoom, isTrue: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const stops = [room.state, room.tables.notes.records].map((each) => each.subscribe(() => look()));
    const look = (): void => {
      if (!isTrue()) return;
      for (const stop of stops) stop();
      resolve();
    };
    look();
  });
}

/** All titles, in order. */
export function titles(room: NotesRoom): string[] {
  return room.tables.notes.records
    .get()
    .map(({ title }) => title)
    .toSorted();
}
