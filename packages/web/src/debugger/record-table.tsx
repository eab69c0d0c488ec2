import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Table } from '@bindery/rtc/tables/table.ts';
import { useValue } from '../rooms/use-value.ts';

/** Records that are shown before more are asked for, and characters of a value. */
const PAGE = 100;
const LONGEST = 300;
/** Milliseconds for which a change stays marked. */
const MARKED = 1500;

type Row = Readonly<Record<string, unknown>> & { readonly id: string };

/** The records of a table, one in each row; what has just changed is marked. */
// oxlint-disable-next-line typescript/no-explicit-any -- a table of any fields; values are only shown
export function RecordTable({ table }: { table: Table<any> }) {
  const rows = useValue(table.records) as readonly Row[];
  const shown = useSignal(PAGE);
  const changed = useChanges(rows);
  if (rows.length === 0) return <p class="quiet">No records.</p>;
  const names = Object.keys(rows[0] ?? {}).filter((name) => name !== 'id');
  return (
    <>
      <div class="records-scroll" role="region" aria-label={`Records of ${table.name}`} tabIndex={0}>
        <table class="records">
          <thead>
            <tr>
              <th scope="col">id</th>
              {names.map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, shown.value).map((row) => (
              <tr key={row.id}>
                <th scope="row">{row.id}</th>
                {names.map((name) => (
                  <td key={name} class={changed.has(`${row.id} ${name}`) ? 'changed' : ''}>
                    <code>{valueText(row[name])}</code>
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {rows.length > shown.value && (
        <button type="button" class="button small" onClick={() => (shown.value += PAGE)}>
          Show more of {rows.length}
        </button>
      )}
    </>
  );
}

/** Which values are others than a moment ago, as `<id> <field>`. */
function useChanges(rows: readonly Row[]): ReadonlySet<string> {
  const before = useRef(new Map<string, Row>());
  const marked = useSignal<ReadonlySet<string>>(new Set());
  const isFirst = useRef(true);
  useEffect(() => {
    const found = new Set<string>();
    for (const row of rows) {
      const old = before.current.get(row.id);
      for (const [name, value] of Object.entries(row))
        if (!old || valueText(old[name]) !== valueText(value)) found.add(`${row.id} ${name}`);
    }
    before.current = new Map(rows.map((row) => [row.id, row]));
    if (!isFirst.current && found.size > 0) marked.value = found;
    isFirst.current = false;
    const timer = setTimeout(() => (marked.value = new Set()), MARKED);
    return () => clearTimeout(timer);
  }, [rows]);
  return marked.value;
}

function valueText(value: unknown): string {
  const text = JSON.stringify(value) ?? '';
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}
