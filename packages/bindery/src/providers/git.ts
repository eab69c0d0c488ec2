import { BinderyError } from '@bindery/wire/errors.ts';
import { splitGitSpec, urlFolder } from '@bindery/wire/link-git.ts';
import { openedFile, openInstead } from '@bindery/wire/link-open.ts';
import type { CacheTools } from '../clients/git-cache.ts';
import { findRef, type Found } from '../clients/git-find.ts';
import { closedPart, folderKind } from '../clients/git-folder.ts';
import { listRefs, type RefCall } from '../clients/git-refs.ts';
import { snapshotFolder } from '../clients/git-snapshot.ts';
import type { Provider } from '../contracts/provider.ts';

export interface GitProviderTools extends CacheTools {
  readonly protocols: readonly string[];
  /** Longest fetch from a folder of this machine, in milliseconds. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

/** Longest look-up of refs, in milliseconds. */
const LOOKUP_MS = 30_000;

/**
 * Any Git address: `<percent-encoded address>/<ref>`. A folder of this machine is taken as it is now: changed files, or one
 * that is no repository, become a snapshot in the cache.
 */
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
      const wanted = { ref, path: openedFile(link.open) };
      const call = { protocols: tools.protocols, timeoutMs: Math.min(LOOKUP_MS, tools.timeoutMs), signal };
      const folder = urlFolder(url);
      const found =
        folder === undefined ? await findRef(tools.git, url, wanted, call) : await findInFolder(folder, { url, ...wanted }, call, tools);
      const isMoved = found.path !== undefined && found.path !== wanted.path;
      return {
        provider: 'git',
        slug,
        url,
        ref: found.commit,
        ...(found.name ? { branch: found.name } : {}),
        ...(isMoved ? { open: openInstead(link.open, found.path ?? '') } : {}),
        ...(found.note ? { note: found.note } : {}),
      };
    },
  };
}

type WantedFolder = { readonly url: string; readonly ref: string; readonly path: string | undefined };

async function findInFolder(folder: string, wanted: WantedFolder, call: RefCall, tools: GitProviderTools): Promise<Found> {
  const closed = await closedPart(folder, tools.worker.uid);
  if (closed !== undefined) throw closedTo(closed, tools.worker.uid !== undefined);
  const kind = await folderKind(folder);
  if (kind === 'missing')
    throw new BinderyError('repository_not_found', `There is no folder ${folder} on this machine.`, { hint: 'Check the path.' });
  if (kind === 'file')
    throw new BinderyError('repository_not_found', `${folder} is a file.`, { hint: 'Give the folder it lies in, and the file by --path.' });
  if (kind === 'bare' || (kind === 'repository' && wanted.ref !== 'HEAD')) return findRef(tools.git, wanted.url, wanted, call);
  if (kind === 'plain' && wanted.ref !== 'HEAD')
    throw new BinderyError('ref_not_found', `${folder} is not a Git repository: it has no "${wanted.ref}".`, {
      hint: 'Leave the ref out.',
    });
  return findAsItIs(folder, kind, wanted, call, tools);
}

function closedTo(part: string, isLowered: boolean): BinderyError {
  const why = isLowered ? ': a hub started as root reads repositories as a user of its own, and this is closed to others' : '';
  const start = isLowered ? 'Start the hub as the user who owns it, or open it to others' : 'Have its owner open it to others';
  return new BinderyError('fetch_failed', `The hub may not read ${part}${why}.`, {
    hint: `${start}: chmod -R o+rX ${part}`,
    retryable: false,
  });
}

async function findAsItIs(
  folder: string,
  kind: 'repository' | 'plain',
  wanted: WantedFolder,
  call: RefCall,
  tools: GitProviderTools,
): Promise<Found> {
  const refs = kind === 'repository' ? await listRefs(tools.git, wanted.url, ['HEAD'], call) : undefined;
  const head = refs?.get('HEAD');
  const { protocols, timeoutMs, maxBytes } = tools;
  const order = { url: wanted.url, folder, head: head?.id, protocols, timeoutMs, maxBytes, signal: call.signal, onLine: () => {} };
  const commit = await snapshotFolder(order, tools);
  if (commit === head?.id) return { commit, path: wanted.path, ...(head.target ? { name: head.target } : {}) };
  const note = head
    ? `${folder} has changes that are not committed: they are part of this launch.`
    : `${folder} ${kind === 'plain' ? 'is not a Git repository' : 'has no commits yet'}: its files are taken as they are now.`;
  return { commit, path: wanted.path, note };
}

function checkProtocol(url: string, protocols: readonly string[]): void {
  const protocol = new URL(url).protocol.slice(0, -1);
  if (protocols.includes(protocol)) return;
  const what = protocol === 'file' ? 'folders of its own machine' : `${protocol}:// addresses`;
  throw new BinderyError('link_forbidden', `This hub does not open ${what}.`, {
    hint: `It opens ${protocols.join(', ')} (git.protocols).`,
  });
}

/** The last two names of an address, or the folder's own: `user/repo`. */
function slugOf(url: string): string {
  const names = decodeURIComponent(new URL(url).pathname)
    .replace(/\.git$/, '')
    .split('/')
    .filter(Boolean);
  return names.slice(url.startsWith('file:') ? -1 : -2).join('/') || 'repository';
}
