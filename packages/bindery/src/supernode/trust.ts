import * as Y from 'yjs';
import { cellsOf } from '@bindery/rtc/notebook/shared-notebook.ts';

type Cell = Y.Map<unknown>;
type Shared = Cell | Y.Array<unknown>;

/**
 * Cells that are trusted although somebody who may not run code touched their outputs or their trust, or put them in: pages would run what such a
 * one wrote (`SPEC.md`, D7).
 */
export function wronglyTrusted(doc: Y.Doc, { origin, changed, beforeState }: Y.Transaction): Cell[] {
  if (origin !== 'edit') return [];
  const cells = cellsOf(doc);
  const touched = new Set<Cell>();
  for (const [type, keys] of changed as unknown as ReadonlyMap<Shared, ReadonlySet<string | null>>) {
    const way = wayTo(type, cells);
    const cell = way.at(-1);
    if (type === cells) for (const each of cells) if (each instanceof Y.Map && isNew(each as Cell, beforeState)) touched.add(each);
    if (!(cell instanceof Y.Map)) continue;
    const part = way.at(-2);
    const isOutput = part !== undefined && part === cell.get('outputs');
    const isTrust = part !== undefined && part === cell.get('metadata') && keys.has('trusted');
    if (isOutput || isTrust || (type === cell && (keys.has('outputs') || keys.has('metadata')))) touched.add(cell);
  }
  return [...touched].filter((cell) => metadataOf(cell)?.get('trusted') === true);
}

/** Takes the trust away; to be called in an edit. */
export function distrust(cells: readonly Cell[]): void {
  for (const cell of cells) metadataOf(cell)?.set('trusted', false);
}

/** From a part of a document up to the cell that it is in; empty for what is in none. */
function wayTo(type: Shared, cells: Y.Array<unknown>): Shared[] {
  const way: Shared[] = [];
  for (let at: Shared | null = type; at !== cells; at = at.parent as Shared | null) {
    if (at === null) return [];
    way.push(at);
  }
  return way;
}

function isNew({ _item: item }: Cell, before: ReadonlyMap<number, number>): boolean {
  return item !== null && item.id.clock >= (before.get(item.id.client) ?? 0);
}

function metadataOf(cell: Cell): Y.Map<unknown> | undefined {
  const metadata = cell.get('metadata');
  return metadata instanceof Y.Map ? (metadata as Y.Map<unknown>) : undefined;
}
