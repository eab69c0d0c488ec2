import type { LaunchOptions } from '@bindery/wire/api.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { Link } from '@bindery/wire/link.ts';
import { splitGitSpec, urlFolder } from '@bindery/wire/link-git.ts';
import type { Caller } from './callers.ts';
import type { RateLimit, RateState } from './rate-limit.ts';

export interface RightsOptions {
  /** A hub for everybody: launches need no key there. */
  readonly open: boolean;
  /** False where no sandbox works. */
  readonly isolated: boolean;
  /** For launches of callers without a key, where there is a limit. */
  readonly rate: RateLimit | undefined;
}

/** Who may do what. Every method throws what the caller is to be told. */
export class Rights {
  readonly #options: RightsOptions;

  constructor(options: RightsOptions) {
    this.#options = options;
  }

  get open(): boolean {
    return this.#options.open;
  }

  /** Pages of other sites may ask for nothing, but for those that the operator named. */
  asker(caller: Caller): void {
    if (caller.site !== 'foreign') return;
    throw new BinderyError('forbidden', 'The request was sent from a page of another site, or of another port of this machine.', {
      hint: 'Open the page on the hub itself, or name the site in hub.allowOrigins.',
    });
  }

  /** Lists, and whatever changes the state of the hub or of any session. */
  operator(caller: Caller): void {
    this.asker(caller);
    if (caller.by === 'nobody') throw new BinderyError('unauthorized', 'This needs the hub key, or a browser that was let in.');
  }

  /** To start a launch. Returns the state of the caller's rate limit, where one applies. */
  launcher(caller: Caller, address: string): RateState | undefined {
    this.asker(caller);
    if (caller.by !== 'nobody') return undefined;
    if (!this.#options.open && caller.site !== 'allowed') this.operator(caller);
    const state = this.#options.rate?.take(address);
    if (state?.allowed !== false) return state;
    throw new BinderyError('rate_limited', `Rate limit exceeded. Try again in ${state.resetSeconds} seconds.`, {
      hint: 'Too many launches came from your address within an hour.',
    });
  }

  /** True for those to whom address and token of a launch's session are told. */
  holds(caller: Caller, key: string | undefined, opens: (key: string) => boolean): boolean {
    return caller.by !== 'nobody' || (key !== undefined && opens(key));
  }

  /** Reading a launch, or ending it or its session: the holder, and where launches are open whoever knows its id may read. */
  holder(caller: Caller, key: string | undefined, opens: (key: string) => boolean): void {
    this.asker(caller);
    if (!this.holds(caller, key, opens)) throw new BinderyError('unauthorized', 'This needs the hub key, or the key of the launch.');
  }

  /** The options with which a caller may launch this link: what runs where no sandbox works is settled here. */
  options(caller: Caller, link: Link, options: LaunchOptions): LaunchOptions {
    const isFolder = folderOf(link) !== undefined;
    if (isFolder && (this.#options.open || caller.site === 'allowed'))
      throw new BinderyError('link_forbidden', 'Folders of this machine are not opened from here.');
    if (this.#options.isolated) return { ...options, trust: false };
    if (caller.by === 'key' && (options.trust === true || isFolder)) return { ...options, trust: true };
    throw new BinderyError('sandbox_unavailable', 'This machine cannot isolate what a repository runs, so only what you trust may run.', {
      hint: 'Launch it on the command line with --trust, or see bindery doctor.',
    });
  }
}

/** The folder of this machine that a link opens, if it is one. */
function folderOf(link: Link): string | undefined {
  return link.provider === 'git' ? urlFolder(splitGitSpec(link.spec).url) : undefined;
}
