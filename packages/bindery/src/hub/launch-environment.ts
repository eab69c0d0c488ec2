import type { Link } from '@bindery/wire/link.ts';
import { splitGitSpec, urlFolder } from '@bindery/wire/link-git.ts';
import { withRef } from '@bindery/wire/link.ts';
import { formatV2 } from '@bindery/wire/link-v2.ts';

/** A launch address below the hub's own, without its parameters and leading slash: `v2/gh/user/repo/HEAD`. */
export function relativeAddress(link: Link): string {
  return formatV2({ provider: link.provider, spec: link.spec, open: { kind: 'default' } }).slice(1);
}

/** The same for the commit that the link meant. Providers whose links have no ref keep what was asked for. */
export function persistentAddress(link: Link, ref: string): string {
  try {
    return relativeAddress(withRef(link, ref));
  } catch {
    return relativeAddress(link);
  }
}

/** Launches the same commit again, with the page that was asked for; a folder of this machine as it is now, if that was asked for. */
export function linkAgain(link: Link, ref: string): string {
  const isFolder = link.provider === 'git' && urlFolder(splitGitSpec(link.spec).url) !== undefined;
  if (isFolder && splitGitSpec(link.spec).ref === 'HEAD') return formatV2(link);
  try {
    return formatV2(withRef(link, ref));
  } catch {
    return formatV2(link);
  }
}

/** `BINDER_*` of a session as far as the request tells them; the pipeline adds what the source tells. */
export function launchEnvironment(link: Link, launchHost: string): Record<string, string> {
  return { BINDER_LAUNCH_HOST: launchHost, BINDER_REQUEST: relativeAddress(link) };
}
