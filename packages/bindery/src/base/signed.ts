import { createHmac } from 'node:crypto';
import { sameSecret } from './secrets.ts';

/**
 * Claims about a subject that only who has the secret can make, and that anybody may carry: `<field>.<field>. … .<signature>`. The signature is
 * HMAC-SHA-256 in base64url over the fields, a line break and the subject.
 */
export class Signed {
  readonly #secret: Buffer;

  constructor(secret: Buffer) {
    this.#secret = secret;
  }

  /** @param fields of letters, digits, `-` and `_` */
  sign(subject: string, fields: readonly string[]): string {
    const claim = fields.join('.');
    return `${claim}.${this.#signature(claim, subject)}`;
  }

  /** The fields, as many as there must be; undefined where the token was not signed here, or for another subject. */
  read(subject: string, token: string, count: number): string[] | undefined {
    const fields = token.split('.');
    const signature = fields.pop() ?? '';
    return fields.length === count && sameSecret(signature, this.#signature(fields.join('.'), subject)) ? fields : undefined;
  }

  #signature(claim: string, subject: string): string {
    // A claim has no line break, so that no subject can say another claim.
    return createHmac('sha256', this.#secret).update(`${claim}\n${subject}`).digest('base64url');
  }
}
