// docs/reference/ is made from the code that it describes: commands, settings, errors, the GraphQL schema; so is the GraphQL client's
// `operations.gen.ts`. `--check` only compares.
import { readFileSync, writeFileSync } from 'node:fs';
import { ERRORS } from '../packages/wire/src/errors.ts';
import { EXIT } from '../packages/bindery/src/cli/exit.ts';
import { program } from '../packages/bindery/src/cli/cli.ts';
import { configKeys, type ConfigKey } from '../packages/bindery/src/base/config-keys.ts';
import { plain, type Terminal } from '../packages/bindery/src/cli/terminal.ts';
import { OPERATIONS_FILE, operationsModule, SCHEMA_FILE } from './graphql-operations.ts';

const FOLDER = 'docs/reference';
const MADE = '<!-- Made by scripts/reference.ts: change the code, then run `node scripts/reference.ts`. -->\n';

// Defaults that lie in a person's home are shown as they are written.
process.env['HOME'] = '~';
for (const name of ['XDG_DATA_HOME', 'XDG_CACHE_HOME', 'XDG_CONFIG_HOME']) delete process.env[name];

function cliPage(): string {
  let text = '';
  const terminal: Terminal = {
    env: {},
    out: (more) => (text += more),
    err: (more) => (text += more),
    interactive: false,
    size: () => ({ columns: 100, rows: 50 }),
    paint: plain,
    paintOut: plain,
  };
  const root = program({ terminal, main: '', run: async () => {} });
  const pages = [root, ...root.commands].map((command) => {
    text = '';
    command.configureHelp({ helpWidth: 100 }).outputHelp();
    const name = command === root ? 'bindery' : `bindery ${command.name()}`;
    return `## ${name}\n\n\`\`\`text\n${text.trimEnd()}\n\`\`\`\n`;
  });
  return `# The command line\n\n${MADE}\n${CLI_INTRO}\n${pages.join('\n')}`;
}

const CLI_INTRO = `In a checkout, \`npm start -- …\` is \`bindery launch …\`, and \`npm run bindery -- <command> …\` is every command.

With \`--json\` a command writes JSON to stdout and nothing else; what people read goes to stderr. \`launch\` and \`build\` write
one event a line, each as \`packages/wire/src/events.ts\` describes it, and end with \`ready\` or \`failed\`; the other commands write one
document, or \`{"error": {"code", "message", "hint", "retryable"}}\`.

| exit code | meaning |
|---|---|
| ${EXIT.ok} | done |
| ${EXIT.failed} | the launch, build or command failed; the message says why |
| ${EXIT.usage} | the command line or the configuration is wrong |
| ${EXIT.noHub} | there is no hub, it does not answer, or it could not be started |
| ${EXIT.interrupted} | ended by Ctrl-C or a signal before it was done |
`;

function configurationPage(): string {
  const sections = Map.groupBy(configKeys(), ({ key }) => key.split('.')[0] ?? '');
  const tables = [...sections].map(
    ([section, keys]) =>
      `## ${section}\n\n| setting | variable | default | |\n|---|---|---|---|\n${keys.map((key) => settingRow(key)).join('')}`,
  );
  return `# Configuration\n\n${MADE}\n${CONFIG_INTRO}\n${tables.join('\n')}`;
}

const CONFIG_INTRO = `Stronger first: flags (\`--set key=value\`, \`--state\`, \`--port\`), variables, the file, the default. The file is YAML: the one that
\`--config\` or \`BINDERY_CONFIG\` names, else \`~/.config/bindery/config.yaml\` if it is there.

\`\`\`yaml
hub:
  port: 9000
session:
  idle: 3600
  network: none
\`\`\`

Durations are seconds, sizes are bytes, lists in variables and flags are separated by commas. An unknown name is an error, and the
message says which one was probably meant. \`bindery config\` shows what is in effect and where each value came from, without secrets.
\`BINDERY_UV\` is a short name of \`BINDERY_PYTHON_UV\`.
`;

function settingRow(key: ConfigKey): string {
  const choices =
    key.choices && key.choices.length > 0
      ? ` One${key.type === 'list' ? ' or more' : ''} of ${key.choices.map((word) => `\`${word}\``).join(', ')}.`
      : '';
  return `| \`${key.key}\` | \`${key.env}\` | ${shown(key)} | ${cell(key.description)}${choices}${key.secret ? ' **Secret.**' : ''} |\n`;
}

function shown({ fallback }: ConfigKey): string {
  if (fallback === undefined) return '–';
  if (Array.isArray(fallback)) return fallback.length === 0 ? 'none' : fallback.map((word) => `\`${String(word)}\``).join(', ');
  const inWords = typeof fallback === 'number' ? binary(fallback) : undefined;
  const text = typeof fallback === 'string' ? fallback : JSON.stringify(fallback);
  return `\`${text}\`${inWords === undefined ? '' : ` (${inWords})`}`;
}

/** A round number of bytes in words; other numbers need none. */
function binary(value: number): string | undefined {
  for (const [unit, name] of [
    [2 ** 30, 'GiB'],
    [2 ** 20, 'MiB'],
  ] as const)
    if (value >= unit && value % unit === 0) return `${value / unit} ${name}`;
  return undefined;
}

function errorsPage(): string {
  const rows = Object.entries(ERRORS)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([code, entry]) =>
        `| \`${code}\` | ${entry.status} | ${entry.retryable ? 'yes' : 'no'} | ${cell(entry.title)} | ${cell(entry.hint)} |\n`,
    );
  return `# Errors\n\n${MADE}\n${ERRORS_INTRO}\n| code | status | again? | what happened | what to do |\n|---|---|---|---|---|\n${rows.join('')}`;
}

const ERRORS_INTRO = `Every failure that a person can meet has a code that does not change. It is in the \`failed\` event of a launch, in the answers of
the API (\`{"error": {"code", "message", "hint", "retryable"}}\`, with the status below), and in what commands print with \`--json\`. The
message says what happened with the particulars. *Again?* says whether the same request may well succeed later, unchanged.
`;

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('*.', '\\*.');
}

function graphqlPage(): string {
  return `# GraphQL\n\n${MADE}\n${GRAPHQL_INTRO}\n\`\`\`graphql\n${readFileSync(SCHEMA_FILE, 'utf8').trimEnd()}\n\`\`\`\n`;
}

const GRAPHQL_INTRO = `What a session answers at \`/s/<id>/graphql\`: [how to ask it](../how-to/graphql.md), and
[its rules](../../packages/bindery/src/graphql/SPEC.md). A refusal has the code of [an error](errors.md) in \`extensions.code\`.
`;

const pages: Record<string, string> = {
  [`${FOLDER}/cli.md`]: cliPage(),
  [`${FOLDER}/configuration.md`]: configurationPage(),
  [`${FOLDER}/errors.md`]: errorsPage(),
  [`${FOLDER}/graphql.md`]: graphqlPage(),
  [OPERATIONS_FILE]: operationsModule(),
};
const stale = Object.entries(pages).filter(([file, text]) => {
  try {
    return readFileSync(file, 'utf8') !== text;
  } catch {
    return true;
  }
});
if (process.argv.includes('--check')) {
  for (const [file] of stale) console.log(`${file} is not up to date: node scripts/reference.ts`);
  process.exit(stale.length > 0 ? 1 : 0);
}
for (const [file, text] of stale) {
  writeFileSync(file, text);
  console.log(file);
}
