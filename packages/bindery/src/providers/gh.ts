import { BinderyError } from '@bindery/wire/errors.ts';
import { openedFile, openInstead } from '@bindery/wire/link-open.ts';
import { splitGhSpec } from '@bindery/wire/link-v2.ts';
import type { Link } from '@bindery/wire/link.ts';
import { findRef, isCommit, type Found } from '../clients/git-find.ts';
import type { Git } from '../clients/git.ts';
import type { Github } from '../clients/github.ts';
import type { Provider } from '../contracts/provider.ts';
import type { Source } from '../contracts/source.ts';

export interface GhProviderTools {
  readonly github: Github;
  readonly git: Git;
  /** `https://github.com`, or an own GitHub's address: what is cloned from. */
  readonly url: string;
  readonly protocols: readonly string[];
}

/** Longest look-up by git, in milliseconds. */
const LOOKUP_MS = 30_000;

/** GitHub: `user/repo/ref`. Asks the API, and git itself where the API does not answer or cannot tell. */
export function ghProvider(tools: GhProviderTools): Provider {
  const parse = (spec: string): { slug: string; repository: string; ref: string } => {
    const { user, repo, ref } = splitGhSpec(spec);
    return { slug: `${user}/${repo}`, repository: addressOf(tools.url, user, repo), ref };
  };
  return {
    id: 'gh',
    displayName: 'GitHub',
    parse,
    resolve: async (link, signal) => {
      const { user, repo, ref } = splitGhSpec(link.spec);
      if (isCommit(ref)) return sourceOf(tools.url, link, { user, repo }, { commit: ref.toLowerCase(), path: openedFile(link.open) });
      // the API knows branches, tags and short commits, but not refs/pull/1/head
      const answer = ref.startsWith('refs/') ? { kind: 'no-ref' as const } : await tools.github.commit(user, repo, ref, signal);
      if (answer.kind === 'no-repository') throw noRepository(addressOf(tools.url, user, repo));
      if (answer.kind === 'empty') throw new BinderyError('repository_empty', `${addressOf(tools.url, user, repo)} has no commits yet.`);
      if (answer.kind === 'commit')
        return sourceOf(tools.url, link, answer, { commit: answer.commit, path: openedFile(link.open), ...shortNote(ref, answer.commit) });
      const wanted = { ref, path: openedFile(link.open) };
      const call = { protocols: tools.protocols, timeoutMs: LOOKUP_MS, signal };
      return sourceOf(tools.url, link, { user, repo }, await findRef(tools.git, addressOf(tools.url, user, repo), wanted, call));
    },
  };
}

function addressOf(base: string, user: string, repo: string): string {
  return `${base.replace(/\/+$/, '')}/${user}/${repo}`;
}

function sourceOf(base: string, link: Link, { user, repo }: { readonly user: string; readonly repo: string }, found: Found): Source {
  const url = addressOf(base, user, repo);
  const isMoved = found.path !== undefined && found.path !== openedFile(link.open);
  return {
    provider: 'gh',
    slug: `${user}/${repo}`,
    url,
    ref: found.commit,
    refUrl: `${url}/tree/${found.commit}`,
    ...(found.name ? { branch: found.name } : {}),
    ...(isMoved ? { open: openInstead(link.open, found.path ?? '') } : {}),
    ...(found.note ? { note: found.note } : {}),
  };
}

function shortNote(ref: string, commit: string): { note?: string } {
  return /^[0-9a-f]{7,}$/i.test(ref) && commit.startsWith(ref.toLowerCase()) ? { note: `${ref} is commit ${commit}.` } : {};
}

function noRepository(url: string): BinderyError {
  return new BinderyError('repository_not_found', `There is no public repository at ${url}.`, {
    hint: 'Check the spelling of user and repository, and that the repository is public.',
  });
}
