import { BinderyError } from '@bindery/wire/errors.ts';
import type { IndexSettings } from '../../clients/package-index.ts';

/** A package without a wheel that can be used, in this version or (undefined) in any that was looked at. */
export interface Wheelless {
  readonly name: string;
  readonly version: string | undefined;
}

/** Why a resolution did not come to an end, as far as it decides what is tried next. */
export type Failure =
  /** No wheel of these packages can be used; they may have sources. */
  | { readonly kind: 'no-wheel'; readonly packages: readonly Wheelless[]; readonly text: string }
  /** A package outside the index must be built to know its dependencies. */
  | { readonly kind: 'must-build'; readonly text: string }
  /** The code of a package failed while its dependencies were asked for. */
  | { readonly kind: 'build'; readonly name: string | undefined; readonly text: string }
  | { readonly kind: 'unsatisfiable'; readonly text: string };

const REMOVE = 'Correct the requirement, or remove it.';

/** Reads uv's explanation. Throws what another interpreter cannot mend: unreachable index, unknown package, bad line. */
export function failureOf(output: string, index: IndexSettings, asOf: string | undefined, wanted: readonly string[] = []): Failure {
  const text = explanation(output);
  const unknown = /Because (?:all of the following.*?)?(\S+) was not found in the package registry/.exec(output)?.[1];
  if (/\b(?:401|403) (?:Unauthorized|Forbidden)|authentication credentials/i.test(output))
    throw new BinderyError('index_unreachable', `A package index refused us: ${firstCause(output)}.`, {
      hint: 'Put user name and password or a token into the address of the index (python.indexUrl).',
      retryable: false,
      logTail: output,
    });
  throwIfElsewhere(output, wanted);
  if (isUnreachable(output))
    throw new BinderyError('index_unreachable', `A package index could not be reached: ${firstCause(output)}.`, { logTail: output });
  if (asOf && /missing an upload date/.test(output))
    throw new BinderyError(
      'unsatisfiable',
      `The package index at ${index.host} does not say when its files were uploaded, so packages as of ${asOf.slice(0, 10)} cannot be found.`,
      { hint: 'Launch without --as-of, or set python.indexUrl to an index with upload times, such as PyPI.', logTail: output },
    );
  if (unknown)
    throw new BinderyError('unsatisfiable', `The package index has no package named ${unknown}.`, {
      hint: 'Check the spelling in the requirements; a package of a private index needs that index in the settings.',
      logTail: output,
    });
  if (/Couldn't parse requirement/.test(output)) throw new BinderyError('file_invalid', badLine(output), { logTail: output });
  const packages = wheelless(output);
  if (packages.length > 0) return { kind: 'no-wheel', packages, text };
  if (/Building source distributions is disabled|building .* is disabled/i.test(output)) return { kind: 'must-build', text };
  const built = /Failed to (?:build|download and build|resolve|prepare)[^`\n]*`([\w.-]+)(?:==[^`]*| @ [^`]*)?`/.exec(output)?.[1];
  if (built || /build backend|metadata_generation|Failed to build/i.test(output)) return { kind: 'build', name: built, text };
  return { kind: 'unsatisfiable', text };
}

/** Addresses and files that the repository itself names. */
function throwIfElsewhere(output: string, wanted: readonly string[]): void {
  if (/Git operation failed/.test(output)) {
    const address = /(?:from|fetch[^'\n]*) '(\w+:\/\/[^']+)'/.exec(output)?.[1] ?? /`[^`]*@ ([^`]+)`/.exec(output)?.[1] ?? 'a repository';
    const reason = /(?:fatal|error|remote): (.+)$/m.exec(output.split('stderr').at(-1) ?? '')?.[1] ?? firstCause(output);
    throw new BinderyError('fetch_failed', `A requirement leads to ${address}, which could not be fetched: ${reason}.`, {
      hint: 'Check the address in the requirements, and that the repository is public; then try again.',
      logTail: output,
    });
  }
  const [, status, address] = /HTTP status client error \((4(?:04|10)[^)]*)\) for url \(([^)]+)\)/.exec(output) ?? [];
  if (address)
    throw new BinderyError('unsatisfiable', `A requirement leads to ${address}, where nothing is (${status}).`, {
      hint: REMOVE,
      logTail: output,
    });
  const unreached = /Failed to fetch: `?(\w+:\/\/[^\s`]+)/.exec(output)?.[1];
  if (unreached !== undefined && wanted.some((line) => line.includes(unreached)))
    throw new BinderyError('fetch_failed', `A requirement leads to ${unreached}, which could not be fetched: ${reasonOf(output)}.`, {
      hint: 'Check the address in the requirements, and that it can be reached from here; then try again.',
      logTail: output,
    });
  const missing = /Distribution not found at: file:\/\/(\S+)/.exec(output)?.[1];
  if (missing)
    throw new BinderyError('file_invalid', `A requirement names a file that the repository does not have: ${missing.split('/').at(-1)}.`, {
      hint: REMOVE,
      logTail: output,
    });
}

function isUnreachable(output: string): boolean {
  return /error sending request|dns error|tcp connect|Failed to fetch|HTTP status (?:server|client) error|timed out|error decoding response/i.test(
    output,
  );
}

/** uv's lines without its marks, as one paragraph for people. */
function explanation(output: string): string {
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .map((line) => line.replace(/^(?:error|cause|Caused by|×|╰─▶|├─▶|│):?\s+/, (mark) => (mark.startsWith('error') ? 'error: ' : '')))
    .filter((line) => line && !/^(?:hint|warning|Resolved|Using|Creating|× No solution|error: No solution)/.test(line));
  return lines
    .join(' ')
    .replaceAll('error: ', '')
    .replaceAll('you require', 'the repository requires')
    .replaceAll('your requirements are', 'the requirements are')
    .replaceAll(/\s+/g, ' ')
    .trim()
    .slice(0, 2000);
}

/** The last of uv's causes: what the system said. */
function reasonOf(output: string): string {
  const causes = [...output.matchAll(/^\s*(?:cause|Caused by):\s*(.+)$/gm)].map((match) => (match[1] ?? '').trim());
  return (causes.at(-1) ?? 'no reason was given').replace(/\.$/, '').slice(0, 300);
}

function firstCause(output: string): string {
  const causes = [...output.matchAll(/^\s*(?:cause|Caused by):\s*(.+)$/gm)].map((match) => (match[1] ?? '').trim());
  const [first = output.trim().split('\n')[0] ?? '', ...rest] = causes;
  const last = rest.at(-1);
  return (last && last !== first ? `${first}: ${last}` : first).replace(/\.$/, '').slice(0, 500);
}

function badLine(output: string): string {
  const cause = /(?:cause|Caused by):\s*(.+)\n\s*(.+)/.exec(output);
  return cause ? `“${cause[2]?.trim()}” is not a requirement: ${cause[1]?.trim()}` : explanation(output);
}

/** Every package that the explanation says has no wheel; which of them matters is not said. */
function wheelless(output: string): Wheelless[] {
  const found = new Map<string, Wheelless>();
  const add = (name: string, version: string | undefined): void => void found.set(name, found.get(name) ?? { name, version });
  for (const [, name = '', version] of output.matchAll(/(?<![\w.-])([A-Za-z0-9][\w.-]*)==([\w.+!]+) has no (?:usable )?wheels/g))
    add(name, version);
  for (const [, name = ''] of output.matchAll(
    /(?<![\w.,<>=!-])([A-Za-z0-9][\w.-]*)(?:[<>=!~][\w.+!,<>=]*)? ha(?:s|ve) no (?:usable )?wheels/g,
  ))
    add(name, undefined);
  for (const [, name = ''] of output.matchAll(/Wheels are required for `([^`]+)`/g)) add(name, undefined);
  return [...found.values()];
}
