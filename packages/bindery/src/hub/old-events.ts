import { insteadOf } from './default-branch.ts';
import type { FailedEvent, LaunchEvent, ProgressEvent, ReadyEvent } from '@bindery/wire/events.ts';

/** One `data:` line of the old stream; members are written in the order in which BinderHub writes them. */
export type OldEvent = Readonly<Record<string, unknown>>;

/** What the old `ready` event tells beside the image. */
export interface OldReady {
  readonly url: string;
  readonly token: string;
  readonly launchHost: string;
  readonly request: string;
  readonly persistentRequest: string;
  readonly clientIp: string;
}

export interface OldEventsOptions {
  /** `gh:user/repo/ref`, as the request has it. */
  readonly key: string;
  readonly buildOnly: boolean;
  /** Address and token of a session, for its `ready` event. */
  readonly ready: (event: ReadyEvent) => OldReady;
}

/** Why a session that was to be launched did not run; the old servers answered these with a status code. */
const STATUS: Readonly<Record<string, number>> = {
  start_failed: 500,
  start_timeout: 500,
  internal: 500,
  interrupted: 500,
  cancelled: 500,
  rate_limited: 429,
  unauthorized: 403,
  forbidden: 403,
  sandbox_unavailable: 403,
};
const UNRESOLVED = new Set(['ref_not_found', 'repository_not_found']);

/**
 * A launch's log in the words of the old contract: the event sequences of BinderHub's `/build` (its `builder.py`), which know
 * nothing of resolving, planning or locking. A launch from an environment that was found begins with `built`, so what
 * comes before is held back until it is known which kind of launch this is, or until `release` says that it takes too long.
 */
export class OldEvents {
  readonly #options: OldEventsOptions;
  #held: ProgressEvent[] = [];
  #stage: 'held' | 'building' | 'launching' = 'held';
  #found = false;
  /** The branch in place of which `HEAD` was tried. */
  #instead: string | undefined;

  constructor(options: OldEventsOptions) {
    this.#options = options;
  }

  /** The old events that this entry brings, if any. */
  take(event: LaunchEvent): OldEvent[] {
    if (event.phase === 'ready') return this.#ready(event);
    if (event.phase === 'failed') return this.#failed(event);
    const instead = event.phase === 'resolving' ? this.#retried(event) : undefined;
    if (instead) return instead;
    if (event.phase === 'waiting') return [{ phase: 'waiting', message: line(event.message) }];
    if (event.phase === 'launching') return this.#launching(event);
    if (event.phase === 'building' && event.kind === 'done') return this.#built(event);
    this.#held.push(event);
    const works = event.phase === 'building' && event.kind !== 'begin';
    return works || this.#stage === 'building' ? this.release() : [];
  }

  /** What was held back, as the events of a launch that is built. */
  release(): OldEvent[] {
    const held = this.#held;
    this.#held = [];
    const events = held.map((event): OldEvent => {
      const phase = event.phase === 'resolving' || event.phase === 'fetching' ? 'fetching' : 'building';
      return { message: line(event.message), phase };
    });
    if (this.#stage !== 'held') return events;
    this.#stage = 'building';
    return [{ phase: 'waiting', message: 'Waiting for build to start...\n' }, { message: 'Picked Git content provider.\n' }, ...events];
  }

  #built(event: ProgressEvent): OldEvent[] {
    const imageName = image(event.environmentId);
    const found = event.cached === true && this.#stage === 'held';
    this.#found = found;
    const before = found ? [] : this.release();
    this.#held = [];
    this.#stage = 'launching';
    if (this.#options.buildOnly) return before;
    const built = found
      ? { phase: 'built', imageName, message: 'Found built image, launching...\n' }
      : { phase: 'built', message: 'Built image, launching...\n', imageName };
    return [...before, built, { phase: 'launching', message: 'Launching server...\n' }];
  }

  /** What BinderHub says when it falls back to the default branch, which old clients show as waiting. */
  #retried({ message }: ProgressEvent): OldEvent[] | undefined {
    const ref = ['master', 'main'].find((name) => message === insteadOf(name));
    if (ref === undefined) return undefined;
    this.#instead = ref;
    this.#held = [];
    return [{ phase: 'waiting', message: `${this.#unresolved()}\n${message}\n` }];
  }

  #unresolved(): string {
    const master = this.#instead === 'master' ? ' GitHub has changed default branches from "master" to "main".' : '';
    const tip = this.#instead === undefined ? '' : " Tip: HEAD will always resolve to a repository's default branch.";
    return `Could not resolve ref for ${this.#options.key}. Double check your URL and that your repo is public.${master}${tip}`;
  }

  #launching(event: ProgressEvent): OldEvent[] {
    const before = this.#stage === 'launching' ? [] : this.#built({ ...event, cached: true });
    return event.kind === 'begin' ? before : [...before, { phase: 'launching', message: line(event.message) }];
  }

  #ready(event: ReadyEvent): OldEvent[] {
    const imageName = image(event.environmentId);
    if (this.#options.buildOnly) {
      if (this.#found) return [{ phase: 'ready', imageName, message: 'Done! Found built image\n' }];
      return [{ phase: 'ready', message: 'Done! Image built\n', imageName }];
    }
    const { url, token, launchHost, request, persistentRequest, clientIp } = this.#options.ready(event);
    return [
      {
        phase: 'ready',
        message: `server running at ${url}\n`,
        image: imageName,
        repo_url: event.repoUrl,
        token,
        binder_ref_url: event.refUrl,
        binder_launch_host: launchHost,
        binder_request: request,
        binder_persistent_request: persistentRequest,
        binder_client_ip: clientIp,
        url,
      },
    ];
  }

  #failed(event: FailedEvent): OldEvent[] {
    const { key } = this.#options;
    const status = STATUS[event.code];
    if (status !== undefined) return [{ phase: 'failed', status_code: status, message: line(`${event.message} ${event.hint}`) }];
    if (event.code === 'no_capacity') return [{ phase: 'failed', message: 'Too many users on this BinderHub! Try again soon.\n' }];
    if (event.during === 'resolving') {
      if (UNRESOLVED.has(event.code)) return [{ phase: 'failed', message: line(this.#unresolved()) }];
      return [{ phase: 'failed', message: line(`Error resolving ref for ${key}: ${event.message}`) }];
    }
    const before = this.#stage === 'launching' ? [] : this.release();
    const message = line(`Error during build: ${event.message} ${event.hint}`);
    return [...before, { message, ...(event.logTail === undefined ? {} : { exc_info: event.logTail }), phase: 'failed' }];
  }
}

/** An environment by the name that the old contract gives to images. */
function image(environmentId: string | undefined): string {
  return environmentId === undefined ? 'bindery/environment' : `bindery/environment:${environmentId}`;
}

function line(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}
