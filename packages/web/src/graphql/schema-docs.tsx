import { useSignal } from '@preact/signals';
import {
  getNamedType,
  isEnumType,
  isInputObjectType,
  isObjectType,
  isScalarType,
  isUnionType,
  type GraphQLArgument,
  type GraphQLInputField,
  type GraphQLNamedType,
  type GraphQLSchema,
  type GraphQLType,
} from 'graphql';

const OWN = new Set(['String', 'Int', 'Float', 'Boolean', 'ID']);

/** What there is to ask: every type with its fields; a name leads to its type. */
export function SchemaDocs({ schema }: { schema: GraphQLSchema }) {
  const wanted = useSignal('');
  const word = wanted.value.trim().toLowerCase();
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].filter((type) => !!type);
  const others = Object.values(schema.getTypeMap()).filter(
    (type) => !type.name.startsWith('__') && !OWN.has(type.name) && !roots.includes(type as never),
  );
  const fits = (type: GraphQLNamedType): boolean =>
    word === '' || type.name.toLowerCase().includes(word) || membersOf(type).some(({ name }) => name.toLowerCase().includes(word));
  const shown = [...roots, ...others].filter(fits);
  const go = (name: string): void => {
    wanted.value = '';
    requestAnimationFrame(() => {
      const found = document.getElementById(`type-${name}`);
      if (!(found instanceof HTMLDetailsElement)) return;
      found.open = true;
      found.querySelector('summary')?.focus();
      found.scrollIntoView({ block: 'nearest' });
    });
  };
  return (
    <section class="graphql-docs" aria-labelledby="what-there-is">
      <div class="graphql-bar">
        <h2 id="what-there-is">What there is</h2>
        <label>
          <span class="hidden">Search for a type or a field</span>
          <input
            type="search"
            placeholder="Search"
            value={wanted.value}
            onInput={({ currentTarget }) => (wanted.value = currentTarget.value)}
          />
        </label>
      </div>
      {shown.length === 0 && <p class="quiet">No type and no field is called so.</p>}
      {shown.map((type) => (
        <details key={type.name} id={`type-${type.name}`} open={word !== '' || type === roots[0]}>
          <summary>
            <code>{type.name}</code>
          </summary>
          {type.description && <p class="quiet">{type.description}</p>}
          <dl>
            {membersOf(type)
              .filter(({ name }) => word === '' || type.name.toLowerCase().includes(word) || name.toLowerCase().includes(word))
              .map(({ name, args, type: of, description }) => (
                <div key={name}>
                  <dt>
                    <code>
                      <b>{name}</b>
                      {args.length > 0 && '('}
                      {args.map((argument, index) => (
                        <span key={argument.name}>
                          {index > 0 && ', '}
                          {argument.name}: <TypeName type={argument.type} go={go} />
                        </span>
                      ))}
                      {args.length > 0 && ')'}
                      {of && (
                        <>
                          : <TypeName type={of} go={go} />
                        </>
                      )}
                    </code>
                  </dt>
                  {description && <dd>{description}</dd>}
                </div>
              ))}
          </dl>
        </details>
      ))}
    </section>
  );
}

function TypeName({ type, go }: { type: GraphQLType; go: (name: string) => void }) {
  const named = getNamedType(type);
  const [before, after] = String(type).split(named.name);
  if (isScalarType(named)) return <>{String(type)}</>;
  return (
    <>
      {before}
      <button type="button" class="type-link" onClick={() => go(named.name)}>
        {named.name}
      </button>
      {after}
    </>
  );
}

interface Member {
  readonly name: string;
  readonly args: readonly GraphQLArgument[];
  readonly type: GraphQLType | undefined;
  readonly description: string | null | undefined;
}

function membersOf(type: GraphQLNamedType): Member[] {
  if (isObjectType(type)) return Object.values(type.getFields());
  if (isInputObjectType(type)) return Object.values(type.getFields()).map((field: GraphQLInputField) => ({ ...field, args: [] }));
  if (isEnumType(type)) return type.getValues().map(({ name, description }) => ({ name, description, args: [], type: undefined }));
  if (isUnionType(type)) return type.getTypes().map((member) => ({ name: 'or', args: [], type: member, description: undefined }));
  return [];
}
