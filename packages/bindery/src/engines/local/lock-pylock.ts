import { parse } from 'smol-toml';
import { z } from 'zod';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { LockedPackage } from '../../contracts/plan.ts';

const Hashes = z.record(z.string(), z.string()).default({});
const File = z.object({ url: z.string().optional(), path: z.string().optional(), name: z.string().optional(), hashes: Hashes });
/** What uv writes of https://packaging.python.org/en/latest/specifications/pylock-toml/ for one interpreter: only wheels that it can use. */
const PylockSchema = z.object({
  packages: z
    .array(
      z.object({
        name: z.string(),
        version: z.string().optional(),
        sdist: File.optional(),
        wheels: z.array(File).optional(),
        archive: File.extend({ subdirectory: z.string().optional() }).optional(),
        vcs: z.object({ type: z.string(), url: z.string(), 'commit-id': z.string(), subdirectory: z.string().optional() }).optional(),
        directory: z.object({}).optional(),
      }),
    )
    .default([]),
});
type Entry = z.infer<typeof PylockSchema>['packages'][number];

/**
 * Reads uv's `pylock.toml`. Packages of the repository itself are left out: the builder installs them from the tree.
 * `elsewhere` says that the index settings of the builder do not lead to the files, so that wheels are named by address.
 */
export function packagesOf(text: string, elsewhere: boolean): LockedPackage[] {
  let entries: readonly Entry[];
  try {
    entries = PylockSchema.parse(parse(text)).packages;
  } catch (error) {
    throw new BinderyError('internal', 'uv wrote a lock that could not be read.', { cause: error, logTail: text.slice(-2000) });
  }
  return entries
    .filter((entry) => entry.directory === undefined)
    .map((entry) => locked(entry, elsewhere))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function locked(entry: Entry, elsewhere: boolean): LockedPackage {
  const { name, version = '' } = entry;
  if (entry.vcs) {
    const { type, url, subdirectory } = entry.vcs;
    const place = subdirectory ? `#subdirectory=${subdirectory}` : '';
    return { name, version, from: 'source', hashes: [], requirement: `${name} @ ${type}+${url}@${entry.vcs['commit-id']}${place}` };
  }
  if (entry.archive) {
    const { url = '', subdirectory } = entry.archive;
    const isWheel = /\.whl(?:$|[?#])/.test(url);
    const place = subdirectory ? `#subdirectory=${subdirectory}` : '';
    return { name, version, from: isWheel ? 'wheel' : 'source', hashes: sha256([entry.archive]), requirement: `${name} @ ${url}${place}` };
  }
  // a folder of the repository: what lies there is installed as the repository's own packages are, into its environment alone (I7)
  const own = [...(entry.wheels ?? []), ...(entry.sdist ? [entry.sdist] : [])].filter(({ url = 'file:' }) => url.startsWith('file:'));
  if (own.length > 0) return { name, version, from: 'source', own: true, hashes: sha256(own), requirement: `${name}==${version}` };
  const wheels = entry.wheels ?? [];
  const files = wheels.length > 0 ? wheels : entry.sdist ? [entry.sdist] : [];
  const from = wheels.length > 0 ? 'wheel' : 'source';
  const address = elsewhere ? files.find((file) => isPublic(file.url)) : undefined;
  if (address) return { name, version, from, hashes: sha256([address]), requirement: `${name} @ ${address.url}` };
  return { name, version, from, hashes: sha256(files), requirement: `${name}==${version}` };
}

/** An address that leads to the file from anywhere: without credentials, and not that of a sandbox's own way to an index. */
function isPublic(url: string | undefined): boolean {
  return url !== undefined && !url.includes('***') && !/^http:\/\/127\.0\.0\.1:\d+\/index\//.test(url);
}

function sha256(files: readonly z.infer<typeof File>[]): string[] {
  return files.flatMap((file) => (file.hashes['sha256'] === undefined ? [] : `sha256:${file.hashes['sha256']}`)).toSorted();
}
