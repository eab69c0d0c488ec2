import { useSignal } from '@preact/signals';
import { json, jsonParseLinter } from '@codemirror/lang-json';
import { linter } from '@codemirror/lint';
import { graphql } from 'cm6-graphql';
import { Kind, OperationTypeNode, parse, type OperationDefinitionNode } from 'graphql';
import { useEffect, useMemo } from 'preact/hooks';
import { BinderyError } from '@bindery/wire/errors.ts';
import { Page } from '../shell/page.tsx';
import { problemOf } from '../shell/problem-of.ts';
import { Problem } from '../shell/problem.tsx';
import { Top } from '../shell/top.tsx';
import { Asking } from './asking.ts';
import { CodeEditor } from './code-editor.tsx';
import { examples, type Example } from './examples.ts';
import { SchemaDocs } from './schema-docs.tsx';
import type { Known, Session } from './session.ts';

/** What was asked last in this tab. */
const KEPT = 'bindery-graphql';

/** Asks a session by hand: an operation, its variables, what comes back, and what there is to ask. */
export function Explorer({ session }: { session: Session }) {
  const known = useSignal<Known | BinderyError | undefined>(undefined);
  useEffect(() => {
    session.known().then(
      (all) => (known.value = all),
      (error: unknown) => (known.value = problemOf(error)),
    );
  }, [session]);
  const { value } = known;
  return (
    <>
      <Top>{value && !(value instanceof BinderyError) && <span class="room-badge">Your role: {value.role}</span>}</Top>
      <Page title="GraphQL" heading="Ask this session" class="graphql">
        {value === undefined && <p class="quiet">Asking what can be asked…</p>}
        {value instanceof BinderyError && <Problem error={value} retry={() => location.reload()} />}
        {value && !(value instanceof BinderyError) && <Desk session={session} known={value} />}
      </Page>
    </>
  );
}

function Desk({ session, known }: { session: Session; known: Known }) {
  const all = useMemo(() => examples(known.path), [known]);
  const asking = useMemo(() => new Asking(session), [session]);
  useEffect(() => () => asking.stop(), [asking]);
  const query = useSignal(useMemo(() => sessionStorage.getItem(KEPT) ?? all[0]?.query ?? '', []));
  const variables = useSignal('{}');
  const chosen = useSignal('');
  const language = useMemo(() => graphql(known.schema), [known]);
  const notation = useMemo(() => [json(), linter((view) => (view.state.doc.length === 0 ? [] : jsonParseLinter()(view)))], []);
  const operations = operationsIn(query.value);
  const names = operations.flatMap(({ name }) => name?.value ?? []);
  const run = (): void => {
    sessionStorage.setItem(KEPT, query.value);
    const given = objectIn(variables.value);
    const operationName = names.length > 1 ? (names.includes(chosen.value) ? chosen.value : names[0]) : undefined;
    const operation = operations.find(({ name }) => operationName === undefined || name?.value === operationName);
    if (given)
      asking.begin({ query: query.value, operationName, variables: given }, operation?.operation === OperationTypeNode.SUBSCRIPTION);
    else asking.state.value = 'The variables are no JSON object.';
  };
  const begin = ({ query: text, variables: given }: Example): void => {
    query.value = text;
    variables.value = JSON.stringify(given, null, 2);
  };
  return (
    <div class="graphql-desk">
      <section class="graphql-ask" aria-label="Operation">
        <div class="graphql-bar">
          <Choice
            label="Begin with"
            none="an example"
            names={all.map(({ name }) => name)}
            choose={(index) => all[index] && begin(all[index])}
          />
          {names.length > 1 && <Choice label="Run" names={names} choose={(index) => (chosen.value = names[index] ?? '')} />}
          <RunButton asking={asking} run={run} />
        </div>
        <CodeEditor label="GraphQL operation" text={query.value} language={language} changed={(text) => (query.value = text)} run={run} />
        <h2>Variables</h2>
        <CodeEditor
          label="Variables as JSON"
          text={variables.value}
          language={notation}
          changed={(text) => (variables.value = text)}
          run={run}
          hint='{ "path": "index.ipynb" }'
        />
      </section>
      <Answer asking={asking} />
      <SchemaDocs schema={known.schema} />
    </div>
  );
}

function Choice({
  label,
  names,
  none,
  choose,
}: {
  label: string;
  names: readonly string[];
  none?: string;
  choose: (index: number) => void;
}) {
  return (
    <label>
      <span class="quiet">{label}</span>{' '}
      <select onChange={({ currentTarget }) => choose(Number(currentTarget.value))}>
        {none !== undefined && <option value={-1}>{none}</option>}
        {names.map((name, index) => (
          <option key={name} value={index}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

function RunButton({ asking, run }: { asking: Asking; run: () => void }) {
  return asking.isGoing.value ? (
    <button type="button" class="button small" onClick={() => asking.stop()}>
      Stop
    </button>
  ) : (
    <button type="button" class="button small primary" onClick={run}>
      Run
    </button>
  );
}

function Answer({ asking }: { asking: Asking }) {
  const language = useMemo(() => json(), []);
  return (
    <section class="graphql-answer" aria-label="Answer">
      <p class="quiet" role="status">
        {asking.state.value || 'The answer comes here.'}
      </p>
      <CodeEditor label="Answer as JSON" text={asking.answer.value} language={language} readOnly />
    </section>
  );
}

function operationsIn(text: string): OperationDefinitionNode[] {
  try {
    return parse(text).definitions.filter((node) => node.kind === Kind.OPERATION_DEFINITION);
  } catch {
    // The editor says what is wrong, and the server does.
    return [];
  }
}

function objectIn(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value = JSON.parse(text.trim() === '' ? '{}' : text) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
