import { DEEPEST, isTooDeep, type Json } from '../json.ts';

/**
 * A number whose text says more than JavaScript's number does: `1.0` is a float to Python and `1` is not, and a long integer loses digits.
 */
export class Literal {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** JSON that may hold literals. */
export type Exact = null | boolean | number | string | Literal | readonly Exact[] | { readonly [key: string]: Exact };

/** A number with a point, an exponent, a minus before a zero, or sixteen digits and more, where a value may stand. Strings may match too. */
const SUSPECT = /[[:,]\s*(?:-0[,\s\]}]|-?\d+[.eE]|-?\d{16})/;

/** Parses JSON and keeps the text of numbers that would not come back as they were. Throws a SyntaxError, or a RangeError when it is nested too deep. */
export function parseExact(text: string): Exact {
  const value = JSON.parse(text) as Exact;
  if (isTooDeep(value)) throw new RangeError(`It is nested more than ${DEEPEST} deep.`);
  if (!SUSPECT.test(text)) return value;
  const keep = (_key: string, each: unknown, context?: { source?: string }): unknown =>
    typeof each === 'number' && context?.source !== undefined && String(each) !== context.source ? new Literal(context.source) : each;
  return JSON.parse(text, keep) as Exact;
}

/** The value with numbers for literals. */
export function rounded(value: Exact): Json {
  if (value instanceof Literal) return Number(value.text);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(rounded);
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, rounded(each)]));
}

export function holdsLiteral(value: Exact): boolean {
  if (value instanceof Literal) return true;
  return typeof value === 'object' && value !== null && Object.values(value).some((each) => holdsLiteral(each));
}
