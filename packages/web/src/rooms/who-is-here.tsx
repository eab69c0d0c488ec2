import { useSignal } from '@preact/signals';
import type { Awareness } from 'y-protocols/awareness.js';
import { colourOf, peopleOf, rename, type Person } from './people.ts';
import { useValue } from './use-value.ts';

/** How many are named; the others are counted. */
const NAMED = 6;

/** Everybody who is in the room; one's own name is a button that changes it. */
export function WhoIsHere({ awareness }: { awareness: Awareness }) {
  const people = useValue(peopleOf(awareness));
  return (
    <ul class="people" aria-label="Who is here">
      {people.slice(0, NAMED).map((person) => (
        <li key={person.client} class={`person ${colourOf(person.client)}`}>
          {person.isSelf ? <Self person={person} awareness={awareness} /> : <span class="person-name">{person.name}</span>}
        </li>
      ))}
      {people.length > NAMED && <li class="person">and {people.length - NAMED} more</li>}
    </ul>
  );
}

function Self({ person, awareness }: { person: Person; awareness: Awareness }) {
  const isOpen = useSignal(false);
  if (!isOpen.value)
    return (
      <button type="button" class="person-name" title="Change your name" onClick={() => (isOpen.value = true)}>
        {person.name} <span class="quiet">(you)</span>
      </button>
    );
  const done = (name: string): void => {
    if (name.trim() !== '' && name !== person.name) rename(awareness, name.trim());
    isOpen.value = false;
  };
  return (
    <form onSubmit={(event) => (event.preventDefault(), done(new FormData(event.currentTarget).get('name') as string))}>
      <input
        name="name"
        aria-label="Your name"
        maxLength={40}
        autocomplete="nickname"
        defaultValue={person.name}
        ref={(input) => input?.select()}
        onBlur={(event) => done(event.currentTarget.value)}
      />
    </form>
  );
}
