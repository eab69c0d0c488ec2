import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Example } from '@bindery/wire/api.ts';
import { folderUrl } from '@bindery/wire/link-git.ts';

/** Where the bundled example repositories lie. */
const FOLDER = fileURLToPath(new URL('../../../../examples', import.meta.url));

/** What is launched when nothing is named. */
export const FIRST = 'hello';

/** The link of one bundled example. */
export function exampleLink(name: string): string {
  return folderUrl(join(FOLDER, name));
}

/** Bundled examples that the launch page offers: title and first sentence are those of their README; the simplest comes first. */
export function bundledExamples(folder: string = FOLDER): Example[] {
  if (!existsSync(folder)) return [];
  // Those that begin with `rtc-` are pages of their own (`npm run example`), and no repositories.
  const names = readdirSync(folder).filter((name) => !name.startsWith('rtc-') && existsSync(join(folder, name, 'README.md')));
  const sorted = names.toSorted((a, b) => Number(b === FIRST) - Number(a === FIRST) || a.localeCompare(b));
  return sorted.map((name) => {
    const lines = readFileSync(join(folder, name, 'README.md'), 'utf8')
      .split('\n')
      .map((line) => line.trim());
    const title = lines.find((line) => line.startsWith('# '))?.slice(2) ?? name;
    const about = lines.find((line) => line !== '' && !line.startsWith('#')) ?? '';
    return { link: folderUrl(join(folder, name)), title, about: /^.*?[.!?](?=\s|$)/.exec(about)?.[0] ?? about };
  });
}
