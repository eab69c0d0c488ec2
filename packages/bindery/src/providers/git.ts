import { splitGitSpec } from '@bindery/wire/link-git.ts';
import type { Link } from '@bindery/wire/link.ts';
import { openedFile, labToOpen } from '@bindery/wire/link-open.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { Provider } from '../contracts/provider.ts';
import type { Source } from '../contracts/source.ts';
import type { Git } from '../clients/git.ts';
import { findRef } from '../clients/git-find.ts';

export interface GitProviderTools {
  readonly git: Git;
  readonly protocols: readonly string[];
}

/** Longest look-up of refs, in milliseconds. */
const LOOKUP_MS = 60_000;

/** Any Git address: `<percent-encoded address>/<ref>`. */
export function gitProvider(tools: GitProviderTools): Provider {
  const parse = (spec: string): { slug: string; repository: string; ref: string } => {
    const { url, ref } = splitGitSpec(spec);
    return { slug: slugOf(url), repository: url, ref };
  };
  return {
    id: 'git',
    displayName: 'Git repository',
    parse,
    resolve: async (link, signal) => {
      const { slug, repository: url, ref } = parse(link.spec);
      checkProtocol(url, tools.protocols);
      const found = await findRef(
        tools.git,
        url,
        { ref, path: openedFile(link.open) },
        { protocols: tools.protocols, timeoutMs: LOOKUP_MS, signal },
      );
      return {
        provider: 'git',
        slug,
        url,
        ref: found.commit,
        ...(found.name ? { branch: found.name } : {}),
        ...reopened(link, found.path),
        ...(found.note ? { note: found.note } : {}),
      };
    },
  };
}

function checkProtocol(url: string, protocols: readonly string[]): void {
  const protocol = new URL(url).protocol.slice(0, -1);
  if (protocols.includes(protocol)) return;
  throw new BinderyError(
    'link_forbidden',
    protocol === 'file' ? 'This hub does not open folders of its own machine.' : `This hub does not open ${protocol}:// addresses.`,
    {
      hint: `It opens ${protocols.join(', ')} (git.protocols).`,
    },
  );
}

/** Where the ref reached further into the path than the link said. */
function reopened(link: Link, path: string | undefined): Pick<Source, 'open'> {
  return path === undefined || path === openedFile(link.open) ? {} : { open: labToOpen(path) };
}

/** The last two names of an address: `user/repo`. */
function slugOf(url: string): string {
  const names = decodeURIComponent(new URL(url).pathname)
    .replace(/\.git$/, '')
    .split('/')
    .filter(Boolean);
  return names.slice(-2).join('/') || 'repository';
}
