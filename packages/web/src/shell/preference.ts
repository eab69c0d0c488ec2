import { effect, signal } from '@preact/signals';
import type { Signal } from '@preact/signals';

/** A yes-or-no choice that this browser remembers, where it lets a page remember anything. */
export function preference(name: string, standard: boolean): Signal<boolean> {
  const key = `bindery:${name}`;
  const value = signal(standard);
  try {
    const kept = localStorage.getItem(key);
    if (kept !== null) value.value = kept === 'yes';
  } catch {
    // Storage is closed: the choice lasts as long as the page.
  }
  effect(() => {
    const chosen = value.value ? 'yes' : 'no';
    try {
      localStorage.setItem(key, chosen);
    } catch {
      // As above.
    }
  });
  return value;
}
