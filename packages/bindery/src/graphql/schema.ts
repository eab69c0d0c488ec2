import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildSchema, type GraphQLSchema } from 'graphql';

const FILE = fileURLToPath(import.meta.resolve('@bindery/rtc/graphql/schema.graphql'));

/** The schema that client and server share. What a field says, the object of its type says under its name. */
export function makeSchema(): GraphQLSchema {
  const schema = buildSchema(readFileSync(FILE, 'utf8'));
  // What a subscription tells is the value of its one field.
  for (const field of Object.values(schema.getSubscriptionType()?.getFields() ?? {})) field.resolve = (event: unknown) => event;
  return schema;
}
