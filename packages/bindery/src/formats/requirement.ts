import { valid } from '@renovatebot/pep440';

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

/** What is wrong with a requirement, and where in the text (from 0). */
export class RequirementError extends Error {
  readonly at: number;
  readonly hint: string | undefined;

  constructor(message: string, at: number, hint?: string) {
    super(message);
    this.name = 'RequirementError';
    this.at = at;
    this.hint = hint;
  }
}

/** PEP 503. */
export function normalName(name: string): string {
  return name.toLowerCase().replace(/[-_.]+/g, '-');
}

/** Parses one PEP 508 requirement; throws RequirementError. */
export function parseRequirement(text: string): Requirement {
  const scanner = new Scanner(text);
  const name = scanner.take(/[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?/y);
  if (name === undefined) throw new RequirementError('a package name was expected', scanner.at);
  const extras = takeExtras(scanner);
  let specifier = '';
  let url: string | undefined;
  if (scanner.take(/@/y) !== undefined) {
    url = scanner.take(/[^\s;]\S*/y);
    if (url === undefined) throw new RequirementError('an address was expected after @', scanner.at);
  } else {
    specifier = takeSpecifier(scanner);
  }
  let marker: string | undefined;
  if (scanner.take(/;/y) !== undefined) marker = takeMarker(scanner);
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
    if (extra === undefined) throw new RequirementError('the name of an extra or ] was expected', scanner.at);
    extras.add(normalName(extra));
    if (scanner.take(/,/y) === undefined && !scanner.sees(/\]/y)) throw new RequirementError(', or ] was expected', scanner.at);
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
  if (parenthesis && scanner.take(/\)/y) === undefined) throw new RequirementError(') was expected', scanner.at);
  return [...clauses].toSorted().join(',');
}

function takeClause(scanner: Scanner): string {
  const start = scanner.at;
  const operator = scanner.take(/===|==|~=|!=|<=|>=|<|>|=/y) ?? '';
  if (operator === '=') throw new RequirementError('= is not an operator', start, 'Write == to ask for an exact version.');
  if (operator === '') throw new RequirementError('an operator was expected', start);
  const at = scanner.at;
  const version = scanner.take(/[^\s,;)]+/y);
  if (version === undefined) throw new RequirementError('a version was expected', at);
  if (operator === '===') return `===${version}`;
  const wild = version.endsWith('.*');
  if (wild && operator !== '==' && operator !== '!=')
    throw new RequirementError(`${operator} does not go with .*`, at, 'Leave .* away, or use ==.');
  if (valid(wild ? version.slice(0, -2) : version) === null)
    throw new RequirementError(`${version} is not a version as PEP 440 has it`, at);
  return `${operator}${version.toLowerCase()}`;
}

const VARIABLE =
  /(?:python_version|python_full_version|os[._]name|sys[._]platform|platform_release|platform_system|platform_version|platform[._]machine|platform[._]python_implementation|python_implementation|implementation_name|implementation_version|extras?|dependency_groups)\b/y;

/** Checks the grammar of an environment marker and returns it with single spaces and double quotes. */
function takeMarker(scanner: Scanner): string {
  const parts: string[] = [];
  let depth = 0;
  for (;;) {
    while (scanner.take(/\(/y) !== undefined) {
      parts.push('(');
      if (++depth > 64) throw new RequirementError('too many parentheses', scanner.at);
    }
    parts.push(takeOperand(scanner));
    const operator = scanner.take(/===|==|~=|!=|<=|>=|<|>|in\b|not\s+in\b/y);
    if (operator === undefined) throw new RequirementError('a comparison was expected', scanner.at);
    parts.push(operator.replace(/\s+/, ' '), takeOperand(scanner));
    while (depth > 0 && scanner.take(/\)/y) !== undefined) {
      parts.push(')');
      depth--;
    }
    const junction = scanner.take(/and\b|or\b/y);
    if (junction === undefined) break;
    parts.push(junction);
  }
  if (depth > 0) throw new RequirementError(') was expected', scanner.at);
  return parts.join(' ').replaceAll('( ', '(').replaceAll(' )', ')');
}

function takeOperand(scanner: Scanner): string {
  const variable = scanner.take(VARIABLE);
  if (variable !== undefined) return variable;
  const string = scanner.take(/'[^']*'|"[^"]*"/y);
  if (string === undefined) throw new RequirementError('a marker variable or a quoted text was expected', scanner.at);
  return string.includes('"', 1) && !string.startsWith('"') ? string : `"${string.slice(1, -1)}"`;
}

function unexpected(scanner: Scanner): RequirementError {
  const rest = scanner.rest.slice(0, 20);
  const hint = /^\d/.test(rest) ? 'Write == between name and version.' : undefined;
  return new RequirementError(`“${rest}” was not expected here`, scanner.at, hint);
}

/** Reads tokens with sticky expressions; white space between them does not count. */
class Scanner {
  readonly #text: string;
  at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#skip();
  }

  get done(): boolean {
    return this.at >= this.#text.length;
  }

  get rest(): string {
    return this.#text.slice(this.at);
  }

  sees(token: RegExp): boolean {
    token.lastIndex = this.at;
    return token.test(this.#text);
  }

  take(token: RegExp): string | undefined {
    token.lastIndex = this.at;
    const match = token.exec(this.#text);
    if (!match) return undefined;
    this.at += match[0].length;
    this.#skip();
    return match[0];
  }

  #skip(): void {
    while (this.at < this.#text.length && /\s/.test(this.#text.charAt(this.at))) this.at++;
  }
}
