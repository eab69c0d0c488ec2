// How much one operation may ask, measured before anything is done.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { buildSchema } from 'graphql';
import * as operations from '@bindery/rtc/graphql/operations.gen.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import { LIMITS, prepared, type Asking } from './limits.ts';
import { makeSchema } from './schema.ts';

const schema = makeSchema();
/** One that goes round, as ours does not. */
const round = buildSchema('type Query { a: Query, all(first: Int! = 10): [Query!]!, some: [Query!]!, leaf: Int }');

const isTooCostly = (what: RegExp) => (error: unknown) =>
  error instanceof BinderyError && error.code === 'query_too_costly' && what.test(error.message);
const taken = (asking: Asking, of = round): boolean => 'document' in prepared(of, asking);

describe('the limits of GraphQL', () => {
  it('L3 fields inside each other, also in fragments', () => {
    const nested = (depth: number, inner: string): string => `${'{ a '.repeat(depth)}${inner}${' }'.repeat(depth)}`;
    assert.ok(taken({ query: nested(LIMITS.depth - 1, '{ leaf }') }));
    assert.throws(() => prepared(round, { query: nested(LIMITS.depth, '{ leaf }') }), isTooCostly(/inside each other/));
    const inFragment = `${nested(8, '{ ...b }')} fragment b on Query ${nested(8, '{ leaf }')}`;
    assert.throws(() => prepared(round, { query: inFragment }), isTooCostly(/inside each other/));
    // A fragment is no depth of its own.
    assert.ok(taken({ query: `{ ${'... on Query { '.repeat(100)} leaf ${'} '.repeat(100)} }` }));
  });

  it('L4 lists in lists, by what is asked for or assumed', () => {
    assert.ok(taken({ query: '{ all(first: 1000) { leaf } }' }));
    assert.ok(taken({ query: '{ all(first: 300) { all(first: 300) { leaf } } }' }));
    assert.throws(() => prepared(round, { query: '{ all(first: 400) { all(first: 400) { leaf } } }' }), isTooCostly(/members of lists/));
    assert.throws(() => prepared(round, { query: '{ some { some { some { some { leaf } } } } }' }), isTooCostly(/members of lists/));
    const query = 'query($first: Int! = 400) { all(first: $first) { all(first: $first) { leaf } } }';
    assert.throws(() => prepared(round, { query }), isTooCostly(/members of lists/));
    assert.ok(taken({ query, variables: { first: 2 } }));
    assert.throws(() => prepared(round, { query, variables: { first: 1e9 } }), isTooCostly(/members of lists/));
    assert.ok(!taken({ query, variables: { first: 'x' } }));
    assert.ok(taken({ query: '{ all(first: -5) { leaf } }' }));
  });

  it('L4 measures the operation that is meant', () => {
    const query = 'query Small { leaf } query Large { all(first: 1000) { all(first: 1000) { leaf } } }';
    assert.ok(taken({ query, operationName: 'Small' }));
    assert.throws(() => prepared(round, { query, operationName: 'Large' }), isTooCostly(/members of lists/));
    // Which is meant is not said: each might be.
    assert.throws(() => prepared(round, { query }), isTooCostly(/members of lists/));
  });

  for (const [name, { text }] of Object.entries(operations))
    it(`L takes ${name} of our client, with the longest lists that it asks for by itself`, () => {
      const variables = { path: 'a', cell: 'a', execution: 'a', kernel: 'a', question: 'a', value: 'a', to: 'b' };
      assert.ok(taken({ query: text, variables }, schema));
    });
});
