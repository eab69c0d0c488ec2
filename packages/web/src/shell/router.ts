import { signal } from '@preact/signals';
import { z } from 'zod';
import { LaunchOptions } from '@bindery/wire/api.ts';

/** What a history entry remembers, so that a reload or the back button finds the same launch again. */
const Entry = z.object({
  /** The person asked for this page here: no question before the launch. */
  asked: z.boolean().optional(),
  /** Sent with the request that creates the launch, so that repeating it creates no other. */
  once: z.string().optional(),
  launch: z.object({ id: z.string(), key: z.string().optional() }).optional(),
  /** The session was opened from here before. */
  left: z.boolean().optional(),
  /** Key of the launch whose session's saved work is restored, where this browser holds no other. */
  restoreKey: z.string().optional(),
  /** Choices of a launch that was started again with others. */
  options: LaunchOptions.optional(),
});
export type Entry = z.infer<typeof Entry>;

/** The address as the pages see it: path below the hub's base, with what follows. */
export interface Place {
  readonly path: string;
  readonly search: string;
  /** Counts navigations: a page that is asked for again starts anew. */
  readonly visit: number;
}

/** Client-side routes over the History API. */
export class Router {
  readonly place = signal<Place>({ path: '/', search: '', visit: 0 });
  readonly #base: string;
  #visit = 0;
  /** What the entry that is shown remembers. */
  #last: Entry = {};

  constructor(baseUrl: string) {
    this.#base = baseUrl;
    this.#read();
    addEventListener('popstate', () => this.#pop());
    addEventListener('click', (event) => this.#click(event));
  }

  /** Path on this hub for an address below its base, for `href`. */
  href(path: string): string {
    return this.#base + path.replace(/^\//, '');
  }

  go(path: string, entry: Entry = {}): void {
    history.pushState(entry, '', this.href(path));
    this.#read();
    scrollTo(0, 0);
  }

  /** Asks for the same page again, in the same history entry. */
  again(entry: Entry): void {
    history.replaceState(entry, '');
    this.#read();
  }

  entry(): Entry {
    const parsed = Entry.safeParse(history.state);
    return parsed.success ? parsed.data : {};
  }

  remember(change: Entry): void {
    this.#keep({ ...this.entry(), ...change });
  }

  /** Back, forward, or a mere `#` in the address: that makes an entry without memory, which is still the same page. */
  #pop(): void {
    const { path, search } = this.place.value;
    const here = this.#here();
    if (history.state === null && here.path === path && here.search === search) this.#keep(this.#last);
    else this.#read();
  }

  #keep(entry: Entry): void {
    history.replaceState(entry, '');
    this.#last = entry;
  }

  #here(): { path: string; search: string } {
    const { pathname, search } = location;
    return { path: pathname.startsWith(this.#base) ? `/${pathname.slice(this.#base.length)}` : pathname, search };
  }

  #read(): void {
    this.#last = this.entry();
    this.place.value = { ...this.#here(), visit: this.#visit++ };
  }

  #click(event: MouseEvent): void {
    const target = event.target instanceof Element ? event.target.closest('a[data-route]') : null;
    if (!(target instanceof HTMLAnchorElement) || event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    const url = new URL(target.href);
    this.go(`/${(url.pathname + url.search).slice(this.#base.length)}`, { asked: true });
  }
}
