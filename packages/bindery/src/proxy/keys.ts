import { createHmac, hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { Signed } from '../base/signed.ts';
import { OWNER, readShareToken, shareToken, type Visitor } from './visitors.ts';

/** How long a one-time code opens its session, in milliseconds (rule C1), where nothing else is said. */
const CODE_LIFE_MS = 60_000;
const MOST_CODES = 10_000;
const MOST_TOKENS = 256;

/** What opens a session: tokens for programs, one-time codes for browsers, and the cookie a code is exchanged for. Of tokens and codes only digests are kept. */
export class Keys {
  readonly #clock: Clock;
  readonly #secret: Buffer;
  readonly #signed: Signed;
  readonly #tokens = new Map<string, Set<string>>();
  readonly #cookies = new Map<string, string>();
  readonly #codes = new Map<string, { id: string; until: number }>();

  /** @param secret 32 bytes; with the same secret, cookies outlive a restart */
  constructor(clock: Clock, secret: Buffer = randomBytes(32)) {
    this.#clock = clock;
    this.#secret = secret;
    this.#signed = new Signed(createHmac('sha256', secret).update('session share links').digest());
  }

  /** A fresh token in the form the old contract knows: 22 characters of base64url. */
  mint(id: string): string {
    const token = randomBytes(16).toString('base64url');
    this.adopt(id, digest(token).toString('hex'));
    return token;
  }

  /** Takes a token that was minted before a restart by its sha256 in hex; the oldest of too many is forgotten. */
  adopt(id: string, sha256: string): void {
    const tokens = this.#tokens.get(id) ?? new Set<string>();
    this.#tokens.set(id, tokens.add(sha256.toLowerCase()));
    for (const oldest of tokens) {
      if (tokens.size <= MOST_TOKENS) break;
      tokens.delete(oldest);
    }
  }

  /** Whom a program's token stands for: the owner, or whoever was given a share link. */
  byToken(id: string, token: string): Visitor | undefined {
    return this.#holds(id, token) ? OWNER : this.#shared(id, token);
  }

  /** Whom a browser's cookie stands for. */
  byCookie(id: string, value: string): Visitor | undefined {
    return this.#holdsCookie(id, value) ? OWNER : this.#shared(id, value);
  }

  /** A share token: good for this session, in this role, until its end. It can't be taken back. */
  share(id: string, visitor: Visitor & { readonly until: number }): string {
    return shareToken(this.#signed, id, visitor);
  }

  #shared(id: string, token: string): Visitor | undefined {
    return readShareToken(this.#signed, id, token, this.#clock.now());
  }

  /** True when the token opens this session; takes the same time for any wrong one. */
  #holds(id: string, token: string): boolean {
    const given = digest(token);
    let found = false;
    for (const known of this.#tokens.get(id) ?? []) found = timingSafeEqual(given, Buffer.from(known, 'hex')) || found;
    return found;
  }

  /** The cookie of a session: the same for every browser, made from the secret, so that nothing has to be stored. */
  cookie(id: string): string {
    return createHmac('sha256', this.#secret).update(`session cookie ${id}`).digest('base64url');
  }

  #holdsCookie(id: string, value: string): boolean {
    let known = this.#cookies.get(id);
    if (known === undefined) this.#cookies.set(id, (known = this.cookie(id)));
    return sameText(value, known);
  }

  /** A code that opens the session once, within its life. */
  issueCode(id: string, lifeMs = CODE_LIFE_MS): string {
    const now = this.#clock.monotonic();
    for (const [code, { until }] of this.#codes) {
      if (until > now && this.#codes.size < MOST_CODES) continue;
      this.#codes.delete(code);
    }
    const code = randomBytes(16).toString('base64url');
    this.#codes.set(digest(code).toString('hex'), { id, until: now + lifeMs });
    return code;
  }

  /** Spends a code. False when it is unknown, spent, expired, or another session's. */
  spendCode(id: string, code: string): boolean {
    const key = digest(code).toString('hex');
    const entry = this.#codes.get(key);
    if (entry?.id !== id) return false;
    this.#codes.delete(key);
    return entry.until > this.#clock.monotonic();
  }

  forget(id: string): void {
    this.#tokens.delete(id);
    this.#cookies.delete(id);
    for (const [code, entry] of this.#codes) if (entry.id === id) this.#codes.delete(code);
  }
}

/** Compares in a time that tells nothing of where two texts differ. Asked for every request of a browser, so no hashing here. */
function sameText(given: string, known: string): boolean {
  let difference = given.length ^ known.length;
  for (let index = 0; index < known.length; index++) difference |= given.charCodeAt(index) ^ known.charCodeAt(index);
  return difference === 0;
}

function digest(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}
