import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { configKeys } from '../packages/bindery/src/base/config-keys.ts';
import { program } from '../packages/bindery/src/cli/cli.ts';
import { plain } from '../packages/bindery/src/cli/terminal.ts';

const pages = [...globSync('*.md'), ...globSync('docs/**/*.md')];

/** Commands with their long options, as the command line itself knows them. */
function commands(): Map<string, Set<string>> {
  const terminal = {
    env: {},
    out: () => {},
    err: () => {},
    interactive: false,
    size: () => ({ columns: 80, rows: 24 }),
    paint: plain,
    paintOut: plain,
  };
  const root = program({ terminal, main: '', run: async () => {} });
  return new Map(root.commands.map((one) => [one.name(), new Set(one.options.map((option) => option.long ?? ''))]));
}

/** Command lines of ours in a page, in blocks and in the text, as the words after `bindery`. */
function commandLines(page: string): { page: string; words: string[] }[] {
  const text = readFileSync(page, 'utf8');
  const blocks = [...text.matchAll(/^ *```\w*\n([^]*?)^ *```/gm)].flatMap((match) => (match[1] ?? '').split('\n'));
  const spans = [...text.replaceAll(/^ *```[^]*?^ *```/gm, '').matchAll(/`([^`\n]+)`/g)].map((match) => match[1] ?? '');
  return [...blocks, ...spans]
    .map((line) =>
      line
        .trim()
        .replace(/^npm (?:--prefix \S+ )?run bindery --(?= |$)/, 'bindery')
        .replace(/^npm (?:--prefix \S+ )?start --(?= )/, 'bindery launch'),
    )
    .filter((line) => /^bindery(?: [a-z]| --)/.test(line))
    .map((line) => ({ page, words: line.replace(/\s#.*/, '').split(/\s+/).slice(1) }));
}

describe('the documentation', () => {
  it('has no link to a page or file that is not there', () => {
    const dead = pages.flatMap((page) =>
      [...readFileSync(page, 'utf8').matchAll(/\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)/g)]
        .map((match) => match[1] ?? '')
        .filter((target) => !existsSync(join(dirname(page), target)))
        .map((target) => `${page}: ${target}`),
    );
    assert.deepEqual(dead, []);
  });

  it('shows only commands and options that there are', () => {
    const known = commands();
    const shown = pages.filter((page) => !page.startsWith('docs/reference')).flatMap((page) => commandLines(page));
    assert.ok(shown.length > 30, 'the documentation shows commands');
    const wrong = shown.filter(({ words: [name = '', ...rest] }) => {
      const options = known.get(name);
      const given = rest.filter((word) => word.startsWith('--')).map((word) => word.replace(/=.*/, ''));
      return name !== '' && (!options || given.some((option) => !options.has(option)));
    });
    assert.deepEqual(wrong, []);
  });

  it('names only settings that there are', () => {
    const known = configKeys();
    const sections = [...new Set(known.map(({ key }) => key.split('.')[0]))].join('|');
    const wrong = pages.flatMap((page) =>
      [...readFileSync(page, 'utf8').matchAll(new RegExp(`\`((?:${sections})\\.[a-z]+[A-Za-z]*)\``, 'g'))]
        .map((match) => match[1] ?? '')
        .filter((key) => !/\.(?:key|log|json|ts)$/.test(key) && !known.some((one) => one.key === key))
        .map((key) => `${page}: ${key}`),
    );
    assert.deepEqual(wrong, []);
  });
});
