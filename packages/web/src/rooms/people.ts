import type { Awareness } from 'y-protocols/awareness.js';
import { Value, type Observable } from '@bindery/rtc/observable.ts';

/** Somebody who is in a room. */
export interface Person {
  /** Of the document; who has two pages open is there twice. */
  readonly client: number;
  readonly name: string;
  readonly isSelf: boolean;
}

/** Colours that there are, `who-0` and so on in the style sheet. */
const COLOURS = 8;
/** Characters of a name that are shown: others choose theirs as they like. */
const LONGEST_NAME = 40;
const NAME_KEY = 'bindery.name';
const GUESTS = ['Folio', 'Quill', 'Vellum', 'Thread', 'Quire', 'Spine', 'Deckle', 'Gilt', 'Margin', 'Codex', 'Octavo', 'Signet'];

/** The class of somebody's colour: everybody sees them in the same one. */
export function colourOf(client: number): string {
  return `who-${mixed(client) % COLOURS}`;
}

/** So that whoever is called alike does not look alike too. */
function mixed(client: number): number {
  return Math.imul(client, 2_654_435_761) >>> 16;
}

/** What a state says of its user's name, as a text that can be shown. */
export function nameOf(state: unknown): string {
  const user = (state as { user?: { display_name?: unknown; name?: unknown } } | undefined)?.user;
  const name = [user?.display_name, user?.name].find((each) => typeof each === 'string' && each.trim() !== '') as string | undefined;
  return name?.trim().slice(0, LONGEST_NAME).toWellFormed() ?? 'Somebody';
}

/** Tells the others who is here: the name chosen last on this page, or a guest's. */
export function introduce(awareness: Awareness): void {
  // With a number, so that two guests are rarely called the same.
  const guest = `${GUESTS[awareness.clientID % GUESTS.length]} ${10 + (awareness.clientID % 90)}`;
  callMyself(awareness, sessionStorage.getItem(NAME_KEY) ?? guest);
}

export function rename(awareness: Awareness, name: string): void {
  sessionStorage.setItem(NAME_KEY, name);
  callMyself(awareness, name);
}

function callMyself(awareness: Awareness, name: string): void {
  awareness.setLocalStateField('user', { name, display_name: name });
}

const known = new WeakMap<Awareness, Observable<readonly Person[]>>();

/** Everybody in the room, oneself first. */
export function peopleOf(awareness: Awareness): Observable<readonly Person[]> {
  const found = known.get(awareness);
  if (found) return found;
  const read = (): readonly Person[] =>
    [...awareness.getStates()]
      .map(([client, state]) => ({ client, name: nameOf(state), isSelf: client === awareness.clientID }))
      .toSorted((a, b) => Number(b.isSelf) - Number(a.isSelf) || a.client - b.client);
  const people = new Value(read());
  awareness.on('change', () => {
    const now = read();
    // Cursors move all the time; only who is there, and how they are called, matters here.
    if (JSON.stringify(now) !== JSON.stringify(people.get())) people.set(now);
  });
  known.set(awareness, people);
  return people;
}
