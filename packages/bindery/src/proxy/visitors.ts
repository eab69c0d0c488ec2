import { createHash } from 'node:crypto';
import { includes, ROLES, type Role } from '@bindery/wire/roles.ts';
import type { Signed } from '../base/signed.ts';
import { isWithin, percentDecoded } from '../base/within.ts';

/** Who uses a session: its owner as admin, or whoever got a link to it. */
export interface Visitor {
  readonly role: Role;
  /** The file or folder that is shared with those who may not run code; empty for all files. */
  readonly path: string;
  /** When it ends, in milliseconds since the epoch, whole seconds; undefined for never. */
  readonly until?: number | undefined;
}

export const OWNER: Visitor = { role: 'admin', path: '' };

/** The secret part of a share link: `<role>.<second of the epoch>.<path in base64url>.<signature>` (rule Z1). */
export function shareToken(signed: Signed, id: string, { role, until = 0, path }: Visitor): string {
  return signed.sign(subject(id), [role, String(Math.floor(until / 1000)), Buffer.from(path).toString('base64url')]);
}

/** What a share token of this session allows; undefined where it was not signed here or has ended. */
export function readShareToken(signed: Signed, id: string, token: string, now: number): Visitor | undefined {
  // Most values are none: nothing is computed for them.
  if (token.length > 8192 || !/^[a-z]+\.\d+\./.test(token)) return undefined;
  const [role, second, path = ''] = signed.read(subject(id), token, 3) ?? [];
  const until = Number(second) * 1000;
  if (role === undefined || !(until > now)) return undefined;
  return { role: role as Role, until, path: Buffer.from(path, 'base64url').toString() };
}

/** What a visitor is called where it matters who asked for something: whoever has the same link is the same. */
export function visitorName({ role, until, path }: Visitor): string {
  if (until === undefined) return role;
  return `${role}-${createHash('sha256').update(`${until} ${path}`).digest('hex').slice(0, 8)}`;
}

/** Where a link to a file leads, below a server's base address: to JupyterLab, or to the page of one notebook for who may not run code. */
export function pageFor({ role, path }: Pick<Visitor, 'role' | 'path'>): string {
  const file = path.split('/').map(encodeURIComponent).join('/');
  return includes(role, 'execute') ? `lab/tree/${file}` : `-/notebook?${new URLSearchParams({ path })}`;
}

/** The one who may more; of two with one role the one who may longer. */
export function stronger(one: Visitor | undefined, other: Visitor | undefined): Visitor | undefined {
  if (!one || !other) return one ?? other;
  const difference = ROLES.indexOf(one.role) - ROLES.indexOf(other.role);
  if (difference !== 0) return difference > 0 ? one : other;
  return (one.until ?? Infinity) >= (other.until ?? Infinity) ? one : other;
}

/** Requests of those who may not run code: method, path below the session's, and whether what the pattern caught is the path of a file (rule Z3). */
const BELOW_EXECUTE: readonly (readonly [methods: readonly string[], pattern: RegExp])[] = [
  [['GET', 'HEAD'], /^api\/contents\/?(?<file>.*)$/],
  [['GET', 'HEAD'], /^files\/(?<file>.+)$/],
  [['PUT'], /^api\/collaboration\/session\/(?<file>.*)$/],
  // Who knows its name has seen the document.
  [['GET', 'HEAD'], /^api\/bindery\/blobs\/[0-9a-f]{64}$/],
  // Field by field it is decided there.
  [['GET', 'HEAD', 'POST'], /^graphql$/],
];
const ROOMS = /^(?:graphql$|api\/(?:collaboration\/room|bindery\/(?:room|y))\/.)/;

/** Whether a visitor may send this request, by a table of role, method and path (rule Z3). */
export function mayAsk({ role, path }: Visitor, method: string, tail: string, isUpgrade: boolean): boolean {
  if (includes(role, 'execute')) return true;
  if (isUpgrade) return ROOMS.test(tail);
  return BELOW_EXECUTE.some(([methods, pattern]) => {
    const found = methods.includes(method) ? pattern.exec(tail) : null;
    if (!found) return false;
    const file = found.groups?.['file'];
    const asked = file === undefined ? path : percentDecoded(file);
    return asked !== undefined && isWithin(path, asked);
  });
}

function subject(id: string): string {
  return `session ${id}`;
}
