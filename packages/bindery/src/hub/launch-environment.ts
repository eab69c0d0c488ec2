import type { Link } from '@bindery/wire/link.ts';
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

/** `BINDER_*` of a session as far as the request tells them; the pipeline adds what the source tells. */
export function launchEnvironment(link: Link, launchHost: string): Record<string, string> {
  return { BINDER_LAUNCH_HOST: launchHost, BINDER_REQUEST: relativeAddress(link) };
}
