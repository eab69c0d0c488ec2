import type * as Y from 'yjs';

/**
 * A document that the server takes part in. What members edit comes in transactions whose origin says what they may: `execute` or `edit`; those of the
 * server have `server`.
 */
export interface SharedDoc {
  readonly doc: Y.Doc;
  /**
   * The server's own edit, made before this returns (from within an observer: right after), and sent on to everybody at once. Comes when it is
   * safe; fails when the log failed, or the document was closed.
   */
  edit(body: () => void): Promise<void>;
}
