/** A GraphQL operation, with the types of what it answers and of its variables. */
export interface Operation<Kind extends 'query' | 'mutation' | 'subscription', Data, Variables> {
  readonly kind: Kind;
  readonly name: string;
  readonly text: string;
  /** Nothing lies here: it says the types. */
  readonly types?: (variables: Variables) => Data;
}
