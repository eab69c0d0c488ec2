import type { Link } from '@bindery/wire/link.ts';
import type { Source } from './source.ts';

/** Turns links of one kind into sources. Stateless but for its caches. */
export interface Provider {
  readonly id: string;
  /** For the form and `/api/repoproviders`. */
  readonly displayName: string;
  /** Normal form of a spec, or throws `link_invalid` with what is wrong and what was meant. */
  parse(spec: string): { readonly slug: string; readonly repository: string; readonly ref: string };
  /** Which commit a link means now. Throws `ref_not_found`, `repository_not_found`, `upstream_unreachable` … */
  resolve(link: Link, signal: AbortSignal): Promise<Source>;
}
