// The typed operations of rtc's GraphQL client, made of its schema and its `operations.graphql`.
import { readFileSync } from 'node:fs';
import {
  buildSchema,
  getNamedType,
  isAbstractType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  parse,
  print,
  separateOperations,
  stripIgnoredCharacters,
  typeFromAST,
  validate,
  type FragmentDefinitionNode,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLType,
  type OperationDefinitionNode,
  type SelectionSetNode,
  type TypeNode,
} from 'graphql';

const FOLDER = 'packages/rtc/src/graphql';
export const SCHEMA_FILE = `${FOLDER}/schema.graphql`;
export const OPERATIONS_FILE = `${FOLDER}/operations.gen.ts`;

const SCALARS: Readonly<Record<string, string>> = {
  ID: 'string',
  String: 'string',
  Int: 'number',
  Float: 'number',
  Boolean: 'boolean',
  JSON: 'Json',
};

/** The text of `operations.gen.ts`. Throws for operations that the schema does not know. */
export function operationsModule(): string {
  const schema = buildSchema(readFileSync(SCHEMA_FILE, 'utf8'));
  const document = parse(readFileSync(`${FOLDER}/operations.graphql`, 'utf8'));
  const errors = validate(schema, document);
  if (errors.length > 0) throw new Error(errors.map(String).join('\n\n'));
  const fragments = new Map<string, FragmentDefinitionNode>();
  const operations: OperationDefinitionNode[] = [];
  for (const node of document.definitions) {
    if (node.kind === Kind.FRAGMENT_DEFINITION) fragments.set(node.name.value, node);
    if (node.kind === Kind.OPERATION_DEFINITION) operations.push(node);
  }
  const texts = separateOperations(document);
  const selected = new Selections((name) => schema.getType(name), fragments);

  const types = Object.values(schema.getTypeMap()).flatMap((type) => {
    if (type.name.startsWith('__')) return [];
    if (isEnumType(type)) {
      const values = type.getValues().map(({ name }) => `'${name}'`);
      return [`export type ${type.name} = ${values.join(' | ')};`];
    }
    if (!isInputObjectType(type)) return [];
    const fields = Object.values(type.getFields()).map((field) => {
      const isOptional = !isNonNullType(field.type) || field.defaultValue !== undefined;
      return `  readonly ${field.name}${isOptional ? '?' : ''}: ${named(field.type)};`;
    });
    return [`export interface ${type.name} {\n${fields.join('\n')}\n}`];
  });
  const parts = [...fragments.values()].map(
    ({ name, typeCondition, selectionSet }) =>
      `export type ${name.value} = ${selected.of(schema.getType(typeCondition.name.value) as GraphQLNamedType, selectionSet)};`,
  );
  const made = operations.map(({ name: { value: name } = { value: '' }, operation, variableDefinitions = [], selectionSet }) => {
    const root = schema.getRootType(operation) as GraphQLObjectType;
    const variables = variableDefinitions.map(({ variable, type, defaultValue }) => {
      const isOptional = type.kind !== Kind.NON_NULL_TYPE || defaultValue !== undefined;
      return `readonly ${variable.name.value}${isOptional ? '?' : ''}: ${named(typeOf(type))}`;
    });
    const text = stripIgnoredCharacters(print(texts[name] as (typeof texts)[string]));
    const asked = variables.length === 0 ? 'Record<string, never>' : `{ ${variables.join('; ')} }`;
    return `export const ${name}: Operation<\n  '${operation}',\n  ${selected.of(root, selectionSet)},\n  ${asked}\n> = {\n  kind: '${operation}',\n  name: '${name}',\n  text: ${quoted(text)},\n};`;
  });

  function typeOf(node: TypeNode): GraphQLType {
    return typeFromAST(schema, node as never) as GraphQLType;
  }
  const head = '// Made by scripts/reference.ts of `schema.graphql` and `operations.graphql`.';
  const imports = "import type { Json } from '../json.ts';\nimport type { Operation } from './operation.ts';";
  return [head, imports, ...types, ...parts, ...made].join('\n\n').replace('\n\nimport', '\nimport') + '\n';
}

/** Types of what is selected, as TypeScript says them. */
class Selections {
  readonly #typeNamed: (name: string) => GraphQLNamedType | undefined;
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>;

  constructor(typeNamed: (name: string) => GraphQLNamedType | undefined, fragments: ReadonlyMap<string, FragmentDefinitionNode>) {
    this.#typeNamed = typeNamed;
    this.#fragments = fragments;
  }

  /** Of a union, what is selected of each of its types. */
  of(type: GraphQLNamedType, { selections }: SelectionSetNode): string {
    const parts: string[] = [];
    const fields: string[] = [];
    for (const node of selections) {
      if (node.kind === Kind.FRAGMENT_SPREAD) {
        if (this.#fragments.get(node.name.value)?.typeCondition.name.value !== type.name)
          throw new Error(`The fragment ${node.name.value} is not one of ${type.name}.`);
        parts.push(node.name.value);
      } else if (node.kind === Kind.FIELD && node.name.value === '__typename') {
        if (isObjectType(type)) fields.push(`readonly __typename: '${type.name}'`);
      } else if (node.kind === Kind.FIELD) {
        const field = (type as GraphQLObjectType).getFields()[node.name.value];
        if (!field) throw new Error(`${type.name} has no field ${node.name.value}.`);
        const isSure = field.astNode?.directives?.some(({ name }) => name.value === 'semanticNonNull') ?? false;
        const inner = node.selectionSet ? this.of(getNamedType(field.type), node.selectionSet) : undefined;
        fields.push(`readonly ${node.alias?.value ?? node.name.value}: ${named(field.type, inner, isSure)}`);
      } else if (isAbstractType(type) && node.typeCondition) {
        const member = this.#typeNamed(node.typeCondition.name.value) as GraphQLNamedType;
        const own = this.of(member, node.selectionSet).replace('{', `{ readonly __typename: '${member.name}';`);
        parts.push(own);
      }
    }
    if (fields.length > 0) parts.push(`{ ${fields.join('; ')} }`);
    return parts.join(isAbstractType(type) ? ' | ' : ' & ');
  }
}

/** @param isSure true where it is null only with an error */
function named(type: GraphQLType, inner?: string, isSure = false): string {
  if (isNonNullType(type)) return named(type.ofType, inner, true);
  const own = isListType(type) ? `readonly ${wrapped(named(type.ofType, inner))}[]` : (inner ?? SCALARS[String(type)] ?? String(type));
  return isSure ? own : `${own} | null`;
}

function wrapped(text: string): string {
  return /^[\w'"]+$/.test(text) ? text : `(${text})`;
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
