import { EnvHttpProxyAgent, request, type Dispatcher } from 'undici';
import { z } from 'zod';
import { encodePath } from '@bindery/wire/link-text.ts';
import type { Clock } from '../base/clock.ts';
import { Flight } from '../base/flight.ts';
import { Memo } from '../base/memo.ts';

/** What GitHub says about a ref of a repository. */
export type GithubAnswer =
  /** `user` and `repo` are spelled, or renamed, as GitHub has them now. */
  | { readonly kind: 'commit'; readonly commit: string; readonly user: string; readonly repo: string }
  | { readonly kind: 'no-ref' | 'no-repository' | 'empty' }
  /** No answer to be had: rate limited, refused or unreachable. Git itself may still know. */
  | { readonly kind: 'unavailable'; readonly why: string };

export interface GithubOptions {
  /** `https://api.github.com` */
  readonly apiUrl: string;
  readonly token?: string | undefined;
  readonly clock: Clock;
}

const Commit = z.object({ sha: z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/), url: z.string() });

/** Answers that are asked about again with their ETag, which costs nothing of the rate limit. */
const KEPT = 1024;
/** Milliseconds for which a repository that is not there is not asked for again. */
const MISSING_MS = 30_000;
const TIMEOUT_MS = 15_000;
const LARGEST = 2 ** 20;
const REDIRECTS = 3;

/** The part of GitHub's REST API (2022-11-28) that finds commits. */
export class Github {
  readonly #options: GithubOptions;
  readonly #agent: Dispatcher = new EnvHttpProxyAgent();
  readonly #asking: Flight<GithubAnswer>;
  readonly #kept = new Memo<{ readonly etag: string; readonly answer: GithubAnswer }>(KEPT);
  readonly #missing = new Memo<number>(KEPT);
  #limitedUntil = 0;

  constructor(options: GithubOptions) {
    this.#options = options;
    this.#asking = new Flight(options.clock);
  }

  /** Which commit a branch, tag or (short) commit name means now. Never throws but for an abort. */
  commit(user: string, repo: string, ref: string, signal: AbortSignal): Promise<GithubAnswer> {
    const repository = `${user}/${repo}`.toLowerCase();
    const url = `${this.#options.apiUrl.replace(/\/+$/, '')}/repos/${repository}/commits/${encodePath(ref)}?per_page=1`;
    return this.#asking.do(url, { signal, tell: () => {} }, async ({ signal }) => {
      const now = this.#options.clock.now();
      if (now < this.#limitedUntil) return { kind: 'unavailable', why: 'rate limited' };
      if (now < (this.#missing.get(repository) ?? 0)) return { kind: 'no-repository' };
      const answer = await this.#ask(url, signal);
      if (answer.kind === 'no-repository') this.#missing.set(repository, now + MISSING_MS);
      return answer;
    });
  }

  /** Ends idle connections. */
  async close(): Promise<void> {
    await this.#agent.close();
  }

  async #ask(first: string, signal: AbortSignal): Promise<GithubAnswer> {
    const kept = this.#kept.get(first);
    try {
      let url = first;
      for (let hop = 0; hop <= REDIRECTS; hop++) {
        const response = await this.#get(url, kept?.etag, signal);
        const location = response.headers['location'];
        if (response.statusCode === 304 && kept) return kept.answer;
        if (![301, 302, 307, 308].includes(response.statusCode) || typeof location !== 'string') return this.#read(first, response);
        const next = new URL(location, url);
        if (next.origin !== new URL(first).origin) return { kind: 'unavailable', why: 'redirected to another host' };
        url = next.href;
      }
      return { kind: 'unavailable', why: 'too many redirects' };
    } catch (error) {
      signal.throwIfAborted();
      return { kind: 'unavailable', why: error instanceof Error ? error.message : String(error) };
    }
  }

  async #get(url: string, etag: string | undefined, signal: AbortSignal): Promise<Answer> {
    const { statusCode, headers, body } = await request(url, {
      dispatcher: this.#agent,
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
      headers: {
        accept: 'application/vnd.github+json',
        'x-github-api-version': '2022-11-28',
        'user-agent': 'bindery',
        ...(this.#options.token ? { authorization: `Bearer ${this.#options.token}` } : {}),
        ...(etag ? { 'if-none-match': etag } : {}),
      },
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > LARGEST) throw new Error('the answer is too large');
      chunks.push(chunk);
    }
    return { statusCode, headers, text: Buffer.concat(chunks).toString('utf8') };
  }

  #read(url: string, { statusCode, headers, text }: Answer): GithubAnswer {
    if (statusCode === 200) return this.#readCommit(url, headers, text);
    if (statusCode === 404) return { kind: 'no-repository' };
    if (statusCode === 409) return { kind: 'empty' };
    if (statusCode === 422) return { kind: 'no-ref' };
    const isSpent = headers['x-ratelimit-remaining'] === '0' || headers['retry-after'] !== undefined || statusCode === 429;
    if (isSpent) this.#limitedUntil = this.#limitEnd(headers);
    return { kind: 'unavailable', why: isSpent ? 'rate limited' : `status ${statusCode}` };
  }

  #readCommit(url: string, headers: Answer['headers'], text: string): GithubAnswer {
    const body = Commit.parse(JSON.parse(text));
    const [, user, repo] = /\/repos\/([\w-]+)\/([\w.-]+)\/commits\//.exec(body.url) ?? [];
    if (!user || !repo) return { kind: 'unavailable', why: 'an answer that names no repository' };
    const answer: GithubAnswer = { kind: 'commit', commit: body.sha, user, repo };
    const etag = headers['etag'];
    if (typeof etag === 'string') this.#kept.set(url, { etag, answer });
    return answer;
  }

  /** When the API may be asked again, in milliseconds of wall time: at most an hour from now, a minute if it does not say. */
  #limitEnd(headers: Answer['headers']): number {
    const now = this.#options.clock.now();
    const wait = Number(headers['retry-after']) * 1000;
    const reset = Number(headers['x-ratelimit-reset']) * 1000;
    const until = wait > 0 ? now + wait : reset > now ? reset : now + 60_000;
    return Math.min(until, now + 3_600_000);
  }
}

interface Answer {
  readonly statusCode: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
}
