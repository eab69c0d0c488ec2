import { valid } from '@renovatebot/pep440';
import { formatMarker, takeMarker } from './marker.ts';
import { Scanner, SyntaxProblem } from './scanner.ts';

/** One requirement as PEP 508 has it. */
export interface Requirement {
  /** Normalised as PEP 503 says: lower case, runs of `-_.` are one `-`. */
  readonly name: string;
  readonly extras: readonly string[];
  /** `>=1,<2`, sorted, without white space; empty for any. */
  readonly specifier: string;
  /** Direct reference, in place of a specifier. */
  readonly url?: string;
  readonly marker?: string;
}

/** PEP 503. */
export function normalName(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-');
}

/** Parses one PEP 508 requirement; throws SyntaxProblem. */
export function parseRequirement(text: string): Requirement {
  const scanner = new Scanner(text);
  const name = scanner.take(/[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?/y);
  if (name === undefined) throw new SyntaxProblem('a package name was expected', scanner.at);
  const extras = takeExtras(scanner);
  let specifier = '';
  let url: string | undefined;
  if (scanner.take(/@/y) !== undefined) {
    url = scanner.take(/[^\s;]\S*/y);
    if (url === undefined) throw new SyntaxProblem('an address was expected after @', scanner.at);
  } else {
    specifier = takeSpecifier(scanner);
  }
  let marker: string | undefined;
  if (scanner.take(/;/y) !== undefined) marker = formatMarker(takeMarker(scanner));
  if (!scanner.done) throw unexpected(scanner);
  return { name: normalName(name), extras, specifier, ...(url === undefined ? {} : { url }), ...(marker === undefined ? {} : { marker }) };
}

/** The one way we write a requirement: equal requirements give equal text. */
export function formatRequirement(requirement: Requirement): string {
  const extras = requirement.extras.length > 0 ? `[${requirement.extras.join(',')}]` : '';
  const what = requirement.url === undefined ? requirement.specifier : ` @ ${requirement.url}`;
  return `${requirement.name}${extras}${what}${requirement.marker === undefined ? '' : ` ; ${requirement.marker}`}`;
}

function takeExtras(scanner: Scanner): string[] {
  if (scanner.take(/\[/y) === undefined) return [];
  const extras = new Set<string>();
  while (scanner.take(/\]/y) === undefined) {
    const extra = scanner.take(/[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?/y);
    if (extra === undefined) throw new SyntaxProblem('the name of an extra or ] was expected', scanner.at);
    extras.add(normalName(extra));
    if (scanner.take(/,/y) === undefined && !scanner.sees(/\]/y)) throw new SyntaxProblem(', or ] was expected', scanner.at);
  }
  return [...extras].toSorted();
}

function takeSpecifier(scanner: Scanner): string {
  const parenthesis = scanner.take(/\(/y) !== undefined;
  const clauses = new Set<string>();
  while (scanner.sees(/[=<>!~]/y)) {
    clauses.add(takeClause(scanner));
    if (scanner.take(/,/y) === undefined) break;
  }
  if (parenthesis && scanner.take(/\)/y) === undefined) throw new SyntaxProblem(') was expected', scanner.at);
  return [...clauses].toSorted().join(',');
}

function takeClause(scanner: Scanner): string {
  const start = scanner.at;
  const operator = scanner.take(/===|==|~=|!=|<=|>=|<|>|=/y) ?? '';
  if (operator === '=') throw new SyntaxProblem('= is not an operator', start, 'Write == to ask for an exact version.');
  if (operator === '') throw new SyntaxProblem('an operator was expected', start);
  const at = scanner.at;
  const version = scanner.take(/[^\s,;)]+/y);
  if (version === undefined) throw new SyntaxProblem('a version was expected', at);
  if (operator === '===') return `===${version}`;
  const wild = version.endsWith('.*');
  if (wild && operator !== '==' && operator !== '!=')
    throw new SyntaxProblem(`${operator} does not go with .*`, at, 'Leave .* away, or use ==.');
  if (valid(wild ? version.slice(0, -2) : version) === null) throw new SyntaxProblem(`${version} is not a version as PEP 440 has it`, at);
  return `${operator}${version.toLowerCase()}`;
}

function unexpected(scanner: Scanner): SyntaxProblem {
  const rest = scanner.rest.slice(0, 20);
  const hint = /^\d/.test(rest) ? 'Write == between name and version.' : undefined;
  return new SyntaxProblem(`“${rest}” was not expected here`, scanner.at, hint);
}
