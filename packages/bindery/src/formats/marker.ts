import { Scanner, SyntaxProblem } from './scanner.ts';

/** An environment marker (PEP 508). `all` of nothing is always true, `any` of nothing never. */
export type Marker =
  | { readonly is: 'comparison'; readonly left: string; readonly operator: string; readonly right: string }
  | { readonly is: 'all' | 'any'; readonly of: readonly Marker[] };

const ALWAYS: Marker = { is: 'all', of: [] };
const NEVER: Marker = { is: 'any', of: [] };

const VARIABLES =
  'python_version|python_full_version|os[._]name|sys[._]platform|platform_release|platform_system|platform_version|platform[._]machine|' +
  'platform[._]python_implementation|python_implementation|implementation_name|implementation_version|extras?|dependency_groups';
const DEEPEST = 64;
const MOST_TERMS = 64;

/** Parses a marker that fills the whole text. Throws SyntaxProblem. */
export function parseMarker(text: string): Marker {
  const scanner = new Scanner(text);
  const marker = takeMarker(scanner);
  if (!scanner.done) throw new SyntaxProblem(`“${scanner.rest.slice(0, 20)}” was not expected here`, scanner.at);
  return marker;
}

/** Takes a marker from where the scanner stands. */
export function takeMarker(scanner: Scanner, depth = 0): Marker {
  if (depth > DEEPEST) throw new SyntaxProblem('too many parentheses', scanner.at);
  const alternatives = [takeConjunction(scanner, depth)];
  while (scanner.take(/or\b/y) !== undefined) alternatives.push(takeConjunction(scanner, depth));
  return joined('any', alternatives);
}

function takeConjunction(scanner: Scanner, depth: number): Marker {
  const parts = [takeAtom(scanner, depth)];
  while (scanner.take(/and\b/y) !== undefined) parts.push(takeAtom(scanner, depth));
  return joined('all', parts);
}

function takeAtom(scanner: Scanner, depth: number): Marker {
  if (scanner.take(/\(/y) !== undefined) {
    const inner = takeMarker(scanner, depth + 1);
    if (scanner.take(/\)/y) === undefined) throw new SyntaxProblem(') was expected', scanner.at);
    return inner;
  }
  const left = takeOperand(scanner);
  const operator = scanner.take(/===|==|~=|!=|<=|>=|<|>|in\b|not\s+in\b/y);
  if (operator === undefined) throw new SyntaxProblem('a comparison was expected', scanner.at);
  return { is: 'comparison', left, operator: operator.replace(/\s+/, ' '), right: takeOperand(scanner) };
}

function takeOperand(scanner: Scanner): string {
  const variable = scanner.take(new RegExp(`(?:${VARIABLES})\\b`, 'y'));
  if (variable !== undefined) return variable;
  const text = scanner.take(/'[^']*'|"[^"]*"/y);
  if (text === undefined) throw new SyntaxProblem('a marker variable or a quoted text was expected', scanner.at);
  return text.startsWith("'") && !text.includes('"') ? `"${text.slice(1, -1)}"` : text;
}

/** Flat, without repetitions, in one order. */
function joined(is: 'all' | 'any', markers: readonly Marker[]): Marker {
  const flat = new Map<string, Marker>();
  for (const marker of markers) for (const part of marker.is === is ? marker.of : [marker]) flat.set(formatMarker(part), part);
  const parts = [...flat].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, part]) => part);
  const dominant = is === 'all' ? 'any' : 'all';
  if (parts.some((part) => part.is === dominant && part.of.length === 0)) return { is: dominant, of: [] };
  return parts.length === 1 && parts[0] ? parts[0] : { is, of: parts };
}

/** The marker as it is where no extra is asked for. */
export function withoutExtras(marker: Marker): Marker {
  if (marker.is !== 'comparison') return joined(marker.is, marker.of.map(withoutExtras));
  if (marker.left !== 'extra' && marker.right !== 'extra') return marker;
  return marker.operator === '!=' ? ALWAYS : NEVER;
}

/** Conditions that hold together. */
export type Term = ReadonlySet<string>;

/** The marker as alternatives of conditions: `(a or b) and c` is `a and c`, `b and c`. */
export function termsOf(marker: Marker): Term[] {
  if (marker.is === 'comparison') return [new Set([formatMarker(marker)])];
  if (marker.is === 'any') return eitherOf(marker.of.flatMap(termsOf));
  return marker.of.map(termsOf).reduce(bothOf, [new Set<string>()]);
}

/** Where both hold. */
export function bothOf(a: readonly Term[], b: readonly Term[]): Term[] {
  return eitherOf(a.flatMap((one) => b.map((other) => one.union(other))));
}

/** Where one of them holds, in as few words as these rules give: `a or a and b` is `a`, `a or not a and b` is `a or b`. At most 64 terms. */
export function eitherOf(terms: readonly Term[]): Term[] {
  let kept = absorbed(terms);
  for (;;) {
    const shorter = shortened(kept);
    if (shorter === undefined) return kept;
    kept = absorbed(shorter);
  }
}

function absorbed(terms: readonly Term[]): Term[] {
  const kept: Term[] = [];
  for (const term of terms.toSorted((a, b) => a.size - b.size)) if (!kept.some((simpler) => simpler.isSubsetOf(term))) kept.push(term);
  return kept.slice(0, MOST_TERMS);
}

/** The terms with one condition less, where another term holds in the opposite case; undefined when there is none such. */
function shortened(terms: readonly Term[]): Term[] | undefined {
  for (const [index, term] of terms.entries())
    for (const condition of term) {
      const opposite = negated(condition);
      const rest = without(term, condition);
      const other =
        opposite === undefined ? undefined : terms.find((each) => each.has(opposite) && without(each, opposite).isSubsetOf(rest));
      if (other) return terms.with(index, rest);
    }
  return undefined;
}

function without(term: Term, condition: string): Term {
  const rest = new Set(term);
  rest.delete(condition);
  return rest;
}

const OPPOSITES: Readonly<Record<string, string>> = {
  '<': '>=',
  '>=': '<',
  '>': '<=',
  '<=': '>',
  '==': '!=',
  '!=': '==',
  in: 'not in',
  'not in': 'in',
};

function negated(condition: string): string | undefined {
  const match = /^(\S+) (<=?|>=?|[=!]=|(?:not )?in) (.*)$/.exec(condition);
  const opposite = OPPOSITES[match?.[2] ?? ''];
  return match && opposite ? `${match[1]} ${opposite} ${match[3]}` : undefined;
}

/** Terms as marker text; undefined when they always hold. */
export function formatTerms(terms: readonly Term[]): string | undefined {
  if (terms.some((term) => term.size === 0)) return undefined;
  return terms
    .map((term) => [...term].toSorted().join(' and '))
    .toSorted()
    .join(' or ');
}

/** The one way we write a marker. */
export function formatMarker(marker: Marker): string {
  if (marker.is === 'comparison') return `${marker.left} ${marker.operator} ${marker.right}`;
  if (marker.is === 'any') return marker.of.map(formatMarker).join(' or ');
  return marker.of.map((part) => (part.is === 'any' ? `(${formatMarker(part)})` : formatMarker(part))).join(' and ');
}
