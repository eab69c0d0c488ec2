import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import * as Y from 'yjs';
import type { Room } from '@bindery/rtc/room/room.ts';
import type { Definitions, Table } from '@bindery/rtc/tables/table.ts';
import { colourOf, peopleOf } from '../rooms/people.ts';
import { useValue } from '../rooms/use-value.ts';
import { RecordTable } from './record-table.tsx';
import { Tabs } from './tabs.tsx';
import { UpdateLog } from './update-log.ts';

/** What a room holds and what happens in it, as it happens. Changes nothing. */
export function Debugger<D extends Definitions>({ room }: { room: Room<D> }) {
  const log = useMemo(() => new UpdateLog(room.doc, room.awareness), [room.doc]);
  useEffect(() => () => log.end(), [log]);
  // oxlint-disable-next-line typescript/no-explicit-any -- tables of any fields; values are only shown
  const tables = Object.values(room.tables) as Table<any>[];
  const tabs = [
    ...tables.map((table) => ({ name: table.name, panel: () => <RecordTable key={table.name} table={table} /> })),
    { name: 'Log', panel: () => <Log log={log} /> },
    { name: 'Clients', panel: () => <Clients room={room} /> },
  ];
  return (
    <section class="debugger sheet" aria-label="Debugger">
      <Facts room={room} log={log} />
      <Tabs label="Tables, updates and clients" tabs={tabs} />
    </section>
  );
}

function Facts<D extends Definitions>({ room, log }: { room: Room<D>; log: UpdateLog }) {
  const { phase, role, isSaved, lineage, run } = useValue(room.state);
  const people = useValue(peopleOf(room.awareness));
  const [last] = useValue(log.entries);
  const bytes = useSignal(0);
  useEffect(() => {
    // Weighing a document means writing it: once for many updates.
    const timer = setTimeout(() => (bytes.value = Y.encodeStateAsUpdate(room.doc).byteLength), last ? 250 : 0);
    return () => clearTimeout(timer);
  }, [last, room]);
  const facts: [string, string][] = [
    ['State', phase],
    ['Role', role ?? 'not known yet'],
    ['Saved', isSaved ? 'yes' : 'not yet'],
    ['Size', sizeText(bytes.value)],
    ['Clients', String(people.length)],
    ['Updates', `${last?.number ?? 0} seen`],
    ['Lineage', lineage ?? 'none'],
    ['Run', run ?? 'none'],
  ];
  return (
    <dl class="debugger-facts">
      {facts.map(([name, value]) => (
        <div key={name} class={value.length > 24 ? 'long' : ''}>
          <dt>{name}</dt>
          <dd class="wrap">{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Log({ log }: { log: UpdateLog }) {
  const entries = useValue(log.entries);
  if (entries.length === 0) return <p class="quiet">Nothing has changed since this was opened.</p>;
  return (
    <Scrolling label="Updates">
      <table class="records">
        <thead>
          <tr>
            <th scope="col">Number</th>
            <th scope="col">When</th>
            <th scope="col">Who</th>
            <th scope="col">Bytes</th>
          </tr>
        </thead>
        <tbody>
          {entries.map(({ number, at, who, bytes }) => (
            <tr key={number}>
              <td>{number}</td>
              <td>{new Date(at).toLocaleTimeString()}</td>
              <td>{who}</td>
              <td>{bytes}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scrolling>
  );
}

function Clients<D extends Definitions>({ room }: { room: Room<D> }) {
  const version = useSignal(0);
  useEffect(() => {
    const heard = (): void => void version.value++;
    room.awareness.on('update', heard);
    return () => room.awareness.off('update', heard);
  }, [room]);
  const people = useValue(peopleOf(room.awareness));
  const states = room.awareness.getStates();
  return (
    <Scrolling label="Clients">
      <table class="records" data-version={version.value}>
        <thead>
          <tr>
            <th scope="col">Client</th>
            <th scope="col">Name</th>
            <th scope="col">Says of itself</th>
          </tr>
        </thead>
        <tbody>
          {people.map(({ client, name, isSelf }) => (
            <tr key={client}>
              <th scope="row">
                <span class={`person ${colourOf(client)}`}>{client}</span>
              </th>
              <td>
                {name}
                {isSelf && <span class="quiet"> (you)</span>}
              </td>
              <td>
                <code>{JSON.stringify(states.get(client) ?? null).slice(0, 2000)}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scrolling>
  );
}

function Scrolling({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    <div class="records-scroll" role="region" aria-label={label} tabIndex={0}>
      {children}
    </div>
  );
}

function sizeText(bytes: number): string {
  if (bytes < 10_000) return `${bytes} bytes`;
  return bytes < 10_000_000 ? `${Math.round(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
