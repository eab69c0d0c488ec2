import type { RecordOf } from '@bindery/rtc/tables/table.ts';
import { NOTEBOOK_TABLES } from '@bindery/rtc/tables/jupyter.ts';

export type Execution = RecordOf<(typeof NOTEBOOK_TABLES)['executions']['fields']> & { readonly id: string };

/** The execution of each cell that is last: what waits or runs before what has ended. */
export function lastExecutions(executions: readonly Execution[]): ReadonlyMap<string, Execution> {
  const last = new Map<string, Execution>();
  for (const execution of executions) {
    if (execution.cell === null) continue;
    const known = last.get(execution.cell);
    if (!known || rank(execution) > rank(known)) last.set(execution.cell, execution);
  }
  return last;
}

/** What was asked last counts; what the server has not yet stamped is newest. */
function rank({ requestedAt, status }: Execution): string {
  return `${isGoing(status.status) ? 1 : 0} ${requestedAt || '~'}`;
}

export function isGoing(status: string): boolean {
  return status === 'requested' || status === 'in progress';
}
