import { BinderyError } from '@bindery/wire/errors.ts';
import type { Room } from '../room/room.ts';
import type { FOLDER_TABLES, OperationKind } from './files.ts';

/** What is to be done; the other fields are those of a record of `operations`. */
export interface Operation {
  readonly kind: OperationKind;
  readonly name?: string;
  readonly to?: string;
  readonly type?: 'notebook' | 'file' | 'directory';
  readonly format?: 'text' | 'base64';
  readonly content?: string;
  readonly replace?: boolean;
}

/**
 * Asks for something to be done in the folder of a room, and comes when it was done, with the path that it led to and, of what was opened, the room. It
 * is done whatever becomes of who asked. Throws `file_operation_failed` with the server's words, and why the room ended where it did.
 */
export async function operate(
  room: Room<typeof FOLDER_TABLES>,
  operation: Operation,
): Promise<{ readonly path: string; readonly room: string }> {
  const { operations } = room.tables;
  const { state } = room;
  // To take it back is another operation.
  const id = room.transact(() => operations.create(operation), { undoable: false });
  const stops: (() => void)[] = [];
  try {
    return await new Promise((resolve, reject) => {
      const look = (): void => {
        const status = operations.get(id)?.status;
        const { phase, error } = state.get();
        if (status?.status === 'ok') resolve({ path: status.path, room: status.room });
        else if (status?.status === 'error') reject(new BinderyError('file_operation_failed', status.message));
        else if (phase === 'ended' || phase === 'closed') reject(error ?? closed());
      };
      stops.push(operations.record(id).subscribe(look), state.subscribe(look));
      look();
    });
  } finally {
    for (const stop of stops) stop();
  }
}

function closed(): BinderyError {
  return new BinderyError('room_closed', 'The room was closed before it was told what became of it.');
}
