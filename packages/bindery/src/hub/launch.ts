import type { LaunchOptions, LaunchView } from '@bindery/wire/api.ts';
import type { Link } from '@bindery/wire/link.ts';
import type { LaunchLog } from './launch-log.ts';
import type { LaunchHeader } from './launch-store.ts';
import { keyHash, sameSecret } from '../base/secrets.ts';

/** One launch: what was asked for, its log, and the means to stop it. */
export class Launch {
  readonly header: LaunchHeader;
  readonly options: LaunchOptions;
  readonly log: LaunchLog;
  readonly controller = new AbortController();

  constructor(header: LaunchHeader, options: LaunchOptions, log: LaunchLog) {
    this.header = header;
    this.options = options;
    this.log = log;
  }

  get id(): string {
    return this.header.id;
  }

  get link(): Link {
    return this.header.link;
  }

  get sessionId(): string | undefined {
    const { final } = this.log;
    return final?.phase === 'ready' ? final.sessionId : undefined;
  }

  /** True for the key that its creator was given. */
  opensWith(key: string): boolean {
    return sameSecret(keyHash(key), this.header.keyHash);
  }

  view(): LaunchView {
    const { final } = this.log;
    const last = this.log.events.at(-1);
    const ended = final?.phase === 'failed' ? (final.code === 'cancelled' ? 'cancelled' : 'failed') : 'ready';
    return {
      id: this.id,
      link: this.link,
      createdAt: this.header.createdAt,
      state: final ? ended : 'running',
      ...(last ? { last } : {}),
      ...(this.sessionId ? { sessionId: this.sessionId } : {}),
    };
  }
}
