import type { LaunchOptions } from '@bindery/wire/api.ts';
import { parseLink, withRef, type Link, type LinkDefaults } from '@bindery/wire/link.ts';
import { openPath, urlToOpen, labToOpen } from '@bindery/wire/link-open.ts';
import { parseAsOf } from '@bindery/wire/link-v2.ts';
import type { Source } from '../contracts/source.ts';

/** The first stage: what was pasted, with the options given beside it, as a link. Options go before what the text says. */
export function readLink(text: string, options: LaunchOptions, defaults: LinkDefaults = {}): Link {
  let link = parseLink(text, defaults);
  if (options.ref) link = withRef(link, options.ref);
  if (options.urlpath) link = { ...link, open: urlToOpen(options.urlpath) };
  else if (options.path) link = { ...link, open: labToOpen(options.path) };
  if (options.asOf) link = { ...link, asOf: parseAsOf(options.asOf) };
  return link;
}

/** The page to open below the session's base path, without a leading slash: known for good once the source is. */
export function pageToOpen(link: Link, source: Source): string {
  return openPath(source.open ?? link.open);
}
