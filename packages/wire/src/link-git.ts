import { badLink, checkRef, decoded, shown } from './link-text.ts';
import { BinderyError } from './errors.ts';

/** Schemes that a Git address may have; which of them a hub opens is its own choice (`git.protocols`). */
const SCHEMES = new Set(['https:', 'http:', 'ssh:', 'git:', 'file:']);
const HOST = /^(?:\[[0-9a-f:.]+\]|[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?\.?)$/i;
/** `user@host:path`, as Git and people write it for ssh. */
const SCP = /^([\w.][\w.-]*)@([\w.-]+|\[[0-9a-f:.]+\]):(?!\/\/)(.+)$/i;

/**
 * Normal form of a Git address: scheme and host in lower case, scp style as `ssh://`, an absolute path as `file://`.
 * Refuses remote helpers (`ext::`), options, credentials and unknown schemes.
 */
export function gitUrl(text: string): string {
  if (/^[a-z0-9+.-]*::/i.test(text))
    throw new BinderyError('link_forbidden', `A remote helper is not a repository: ${shown(text)}`, {
      hint: 'Use an https:// address.',
    });
  if (text.startsWith('/')) return folderUrl(text);
  const scp = SCP.exec(text);
  if (scp) return checked(`ssh://${scp[1]}@${scp[2]}/${scp[3]?.replace(/^\/+/, '')}`, text);
  return checked(text.replace(/^git\+(?=(?:https?|ssh|file):)/i, ''), text);
}

/** The `file:` address of an absolute folder. */
export function folderUrl(path: string): string {
  const clean = path.replace(/\/+/g, '/').replace(/(?<=.)\/$/, '');
  return checked(`file://${clean.split('/').map(encodeURIComponent).join('/')}`, path);
}

/** The folder of a `file:` address. */
export function urlFolder(url: string): string | undefined {
  return url.startsWith('file://') ? decoded(new URL(url).pathname) : undefined;
}

/** Text that is an ssh address in scp style. */
export function isScp(text: string): boolean {
  return SCP.test(text);
}

function checked(text: string, original: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url) throw badLink(`This is not the address of a repository: ${shown(original)}`);
  if (!SCHEMES.has(url.protocol))
    throw new BinderyError('link_forbidden', `A repository cannot be opened by ${shown(url.protocol)}//: ${shown(original)}`);
  const isFile = url.protocol === 'file:';
  if (url.password || (url.username && url.protocol !== 'ssh:')) throw credentials(url);
  if (url.username && !/^[\w.][\w.-]*$/.test(url.username)) throw badLink(`The user name of this address is not valid: ${shown(original)}`);
  const host = url.hostname.toLowerCase();
  if (isFile ? host !== '' && host !== 'localhost' : !HOST.test(host))
    throw badLink(`The host of this address is not valid: ${shown(original)}`);
  decoded(url.pathname); // no NUL or newline hides in an escape
  const path = url.pathname.replace(/(?<=[^/])\/+$/, '');
  if (!isFile && path.replaceAll('/', '') === '') throw badLink(`This address names no repository: ${shown(original)}`);
  const user = url.username ? `${url.username}@` : '';
  return `${url.protocol}//${isFile ? '' : user + host + (url.port ? `:${url.port}` : '')}${path}`;
}

function credentials(url: URL): BinderyError {
  return badLink(
    `The address of ${shown(url.hostname)} holds a user name or password; links are shown, shared and logged.`,
    'Remove what stands before the @.',
  );
}

/** A git spec, `<percent-encoded address>/<ref>`, from its parts. */
export function gitSpec(url: string, ref: string): string {
  return `${encodeURIComponent(url)}/${ref}`;
}

/** The parts of a git spec, in normal form. */
export function splitGitSpec(spec: string): { url: string; ref: string } {
  const slash = spec.indexOf('/');
  const [first, ref] = slash < 0 ? [spec, ''] : [spec.slice(0, slash), spec.slice(slash + 1)];
  if (/^[a-z+]+:$/i.test(first))
    throw badLink(
      `The address inside a git link must be percent-encoded: ${shown(spec)}`,
      `Write git/${encodeURIComponent('https://host/user/repo.git')}/HEAD`,
    );
  return { url: gitUrl(decoded(first)), ref: checkRef(ref) };
}
