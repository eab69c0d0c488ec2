import {
  getArgumentValues,
  getNamedType,
  getNullableType,
  getVariableValues,
  isCompositeType,
  isListType,
  isObjectType,
  Kind,
  parse,
  specifiedRules,
  validate,
  type DocumentNode,
  type FieldNode,
  type GraphQLError,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  type SelectionSetNode,
} from 'graphql';
import { BinderyError } from '@bindery/wire/errors.ts';

/** Of one operation (`SPEC.md`, L). */
export const LIMITS = {
  /** Characters of its text, and words of its grammar. */
  characters: 64 * 1024,
  tokens: 2000,
  operations: 10,
  aliases: 50,
  fields: 500,
  depth: 12,
  cost: 100_000,
} as const;

/** A field at the root may open a document, or ask the Jupyter server. */
const ROOT_COST = 50;
const INTROSPECTION_COST = 2000;
/** Members of lists of which nobody says how many are wanted. */
const ASSUMED: Readonly<Record<string, number>> = { values: 3, traceback: 1, removed: 1, order: 1, 'NotebookChange.cells': 100 };
const ASSUMED_ELSE = 20;

/** What is asked for, as it comes. */
export interface Asking {
  readonly query: string;
  readonly variables?: Readonly<Record<string, unknown>> | null | undefined;
  readonly operationName?: string | null | undefined;
}

type Prepared = { readonly document: DocumentNode } | { readonly errors: readonly GraphQLError[] };

/** An operation that may be executed, or GraphQL's own errors. @throws BinderyError query_too_costly, GraphQLError for a text that is none */
export function prepared(schema: GraphQLSchema, asking: Asking): Prepared {
  try {
    return understood(schema, asking);
  } catch (error) {
    // The stack's end: brackets in brackets.
    if (error instanceof RangeError) within('depth', Infinity);
    throw error;
  }
}

function understood(schema: GraphQLSchema, { query, variables, operationName }: Asking): Prepared {
  within('characters', query.length);
  const document = parse(query, { maxTokens: LIMITS.tokens });
  // Before the rules of GraphQL, of which some take time with the square of what they look at.
  count(document);
  const errors = validate(schema, document, specifiedRules, { maxErrors: 10 });
  if (errors.length > 0) return { errors };
  for (const node of document.definitions) {
    if (node.kind !== Kind.OPERATION_DEFINITION || (operationName && node.name?.value !== operationName)) continue;
    const root = schema.getRootType(node.operation);
    if (!root) continue;
    const { coerced, errors } = getVariableValues(schema, node.variableDefinitions ?? [], variables ?? {}, { maxErrors: 10 });
    if (!coerced) return { errors };
    const measure = new Measure(schema, document, coerced);
    const { cost, depth } = measure.of(root, node.selectionSet);
    within('depth', depth);
    within('cost', cost + ROOT_COST * measure.width(node.selectionSet));
  }
  return { document };
}

const WORDS: Readonly<Record<keyof typeof LIMITS, string>> = {
  characters: 'characters of text',
  tokens: 'words',
  operations: 'operations',
  aliases: 'aliases',
  fields: 'fields',
  depth: 'fields inside each other',
  cost: 'members of lists and their fields, as far as can be said before',
};

function within(what: keyof typeof LIMITS, number: number): void {
  if (number > LIMITS[what]) throw new BinderyError('query_too_costly', `The operation has more than ${LIMITS[what]} ${WORDS[what]}.`);
}

function count({ definitions }: DocumentNode): void {
  let [operations, aliases, fields] = [0, 0, 0];
  const walk = ({ selections }: SelectionSetNode): void => {
    for (const node of selections) {
      if (node.kind === Kind.FIELD && node.alias) aliases += 1;
      fields += 1;
      if (node.kind !== Kind.FRAGMENT_SPREAD && node.selectionSet) walk(node.selectionSet);
    }
  };
  for (const node of definitions) {
    if (node.kind === Kind.OPERATION_DEFINITION) operations += 1;
    if ('selectionSet' in node) walk(node.selectionSet);
  }
  within('operations', operations);
  within('aliases', aliases);
  within('fields', fields);
}

interface Size {
  readonly cost: number;
  readonly depth: number;
}

/** How much an operation that is valid may answer at most, by the sizes of its lists. */
class Measure {
  readonly #schema: GraphQLSchema;
  readonly #variables: Record<string, unknown>;
  readonly #fragments = new Map<string, { readonly type: GraphQLNamedType | undefined; readonly selectionSet: SelectionSetNode }>();
  /** A fragment that is used often is measured once. */
  readonly #known = new Map<string, Size>();

  constructor(schema: GraphQLSchema, { definitions }: DocumentNode, variables: Record<string, unknown>) {
    this.#schema = schema;
    this.#variables = variables;
    for (const node of definitions)
      if (node.kind === Kind.FRAGMENT_DEFINITION)
        this.#fragments.set(node.name.value, { type: schema.getType(node.typeCondition.name.value), selectionSet: node.selectionSet });
  }

  of(type: GraphQLNamedType | undefined, { selections }: SelectionSetNode): Size {
    let [cost, depth] = [0, 0];
    for (const node of selections) {
      const size =
        node.kind === Kind.FIELD
          ? this.#field(type, node)
          : node.kind === Kind.FRAGMENT_SPREAD
            ? this.#fragment(node.name.value)
            : this.of(node.typeCondition ? this.#schema.getType(node.typeCondition.name.value) : type, node.selectionSet);
      cost += size.cost;
      depth = Math.max(depth, size.depth);
    }
    return { cost, depth };
  }

  /** How many fields there are at this level. */
  width({ selections }: SelectionSetNode): number {
    return selections.reduce((sum, node) => {
      if (node.kind === Kind.FIELD) return sum + 1;
      const inner = node.kind === Kind.INLINE_FRAGMENT ? node : this.#fragments.get(node.name.value);
      return sum + (inner ? this.width(inner.selectionSet) : 0);
    }, 0);
  }

  #fragment(name: string): Size {
    const known = this.#known.get(name);
    if (known) return known;
    const fragment = this.#fragments.get(name);
    const size = fragment ? this.of(fragment.type, fragment.selectionSet) : { cost: 0, depth: 0 };
    this.#known.set(name, size);
    return size;
  }

  #field(type: GraphQLNamedType | undefined, node: FieldNode): Size {
    const name = node.name.value;
    // How deep it may go is a rule of graphql-js.
    if (name === '__schema' || name === '__type') return { cost: INTROSPECTION_COST, depth: 1 };
    const field = isObjectType(type) ? type.getFields()[name] : undefined;
    if (!field || !node.selectionSet) return { cost: 1, depth: 1 };
    const inner = isCompositeType(getNamedType(field.type)) ? this.of(getNamedType(field.type), node.selectionSet) : { cost: 0, depth: 0 };
    return { cost: 1 + this.#length(type, field, node) * inner.cost, depth: 1 + inner.depth };
  }

  #length(type: GraphQLNamedType | undefined, field: GraphQLField<unknown, unknown>, node: FieldNode): number {
    if (!isListType(getNullableType(field.type))) return 1;
    if (!field.args.some((argument) => argument.name === 'first'))
      return ASSUMED[`${type?.name}.${field.name}`] ?? ASSUMED[field.name] ?? ASSUMED_ELSE;
    try {
      const { first } = getArgumentValues(field, node, this.#variables);
      return typeof first === 'number' ? Math.max(0, first) : ASSUMED_ELSE;
    } catch {
      // It is refused when it is executed.
      return ASSUMED_ELSE;
    }
  }
}
