import { BinderyError } from '@bindery/wire/errors.ts';
import { describeLink, type Link } from '@bindery/wire/link.ts';
import { formatV2 } from '@bindery/wire/link-v2.ts';
import { retry } from '../base/retry.ts';
import type { Context } from '../contracts/context.ts';
import type { Source } from '../contracts/source.ts';

/**
 * The second stage: which commit a link means now. Launches that ask for one link within a second share one answer.
 * Throws what the link's provider throws, and `provider_unknown`.
 */
export async function resolve(link: Link, ctx: Context): Promise<Source> {
  const begun = ctx.clock.monotonic();
  ctx.emit({ phase: 'resolving', kind: 'begin', message: `Looking up ${describeLink(link)}` });
  const provider = ctx.providers.get(link.provider);
  if (!provider)
    throw new BinderyError('provider_unknown', `Links of the kind "${link.provider}" are not offered by this hub yet.`, {
      hint: `It opens ${[...ctx.providers.keys()].join(', ')} links.`,
    });
  const onRetry = ({ message }: Error): void => ctx.emit({ phase: 'resolving', kind: 'info', message: `${message} Trying again.` });
  const source = await ctx.sources.do(formatV2(link), { signal: ctx.signal, tell: () => {} }, ({ signal }) =>
    retry(() => provider.resolve(link, signal), { signal, onRetry }),
  );
  if (source.note) ctx.emit({ phase: 'resolving', kind: 'info', message: source.note });
  const { url, ref, refUrl } = source;
  ctx.emit({
    phase: 'resolving',
    kind: 'done',
    message: `${source.slug} is at commit ${ref.slice(0, 10)}`,
    ms: ctx.clock.monotonic() - begun,
    source: { provider: source.provider, url, ref, ...(refUrl ? { refUrl } : {}) },
  });
  return source;
}
