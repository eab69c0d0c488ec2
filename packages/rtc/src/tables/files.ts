import { z } from 'zod';
import { boolean, list, number, register, string, text } from './fields.ts';
import { RootText } from './rows.ts';
import { defineTable, type TableDefinition } from './table.ts';

/** The id of the one record of a table that has one. */
export const FOLDER = 'folder';
export const FILE = 'file';

/** The room of the folder that holds all others, whose name is known to everybody. */
export const ROOT_FOLDER = 'json:directory:root';

const CONTENTS = {
  name: string(),
  /** From the server's root folder, without a slash at its ends. */
  path: string(),
  type: register(z.enum(['directory', 'file', 'notebook']).nullable(), null),
  /** The room that holds what is in it: `<format>:<type>:<id>`. Empty until somebody has opened it. */
  content: string(),
  writeable: boolean(),
  /** Times as ISO 8601. */
  created: string(),
  lastModified: string(),
  size: register(z.number().nullable(), null),
  mimetype: register(z.string().nullable(), null),
  format: string(),
  /** Where its bytes are by HTTP, below the server's base address. */
  href: string(),
  /** Why its content is not here, or can't be read any more. */
  error: string(),
};

/** What the server said of a file or folder. A field of which it said nothing is left out: a folder may have many. */
const contents: TableDefinition<typeof CONTENTS> = { ...defineTable(CONTENTS), has: (name, initial) => name in initial };

/** What can be done to a folder and to what is in it. */
export const OPERATIONS = ['create', 'rename', 'copy', 'delete', 'upload', 'open'] as const;
export type OperationKind = (typeof OPERATIONS)[number];

/** Where an operation stands. The last two are ends; `path` is where it led to, `room` what holds its content. */
export const OperationStatus = z.discriminatedUnion('status', [
  z.object({ status: z.literal('requested') }),
  z.object({ status: z.literal('in progress') }),
  z.object({ status: z.literal('ok'), path: z.string(), room: z.string() }),
  z.object({ status: z.literal('error'), message: z.string() }),
]);
export type OperationStatus = z.infer<typeof OperationStatus>;

const OPERATION = {
  kind: register<string>(z.enum(OPERATIONS), 'open'),
  /** What is meant, by its name in the folder; of what is made: how it is to be called, or empty for a name that is free. */
  name: string(),
  /** Where it goes: a name in this folder, or, with a slash in front, a path from the root. */
  to: string(),
  /** Of what is made: `notebook`, `file` or `directory`. */
  type: string(),
  /** Of what is opened: `text` or `base64`, where it is a file. */
  format: string(),
  /** What is uploaded, in base64; taken out when the server has it. */
  content: string(),
  /** Of what is uploaded: what is there may be replaced. */
  replace: boolean(),
  /** The fields from here on are the server's: who asked, as far as it knows, and when. */
  status: register<OperationStatus>(OperationStatus, { status: 'requested' }),
  owner: string(),
  requestedAt: string(),
  endedAt: string(),
};

/**
 * What one folder has: one document each, so that who looks at one is not burdened with the others. Members that may execute ask for changes by a
 * record of `operations`; the other tables are the server's.
 */
export const FOLDER_TABLES = {
  /** What is in the folder, by name. */
  contents,
  /** One record, `folder`: the names in it, in order, how many more there are, and why it can't be read. */
  folders: defineTable({ path: string(), content: list(z.string()), more: number(), error: string() }),
  operations: defineTable(OPERATION),
};

/** What one file of bytes has: one document each. Each table has one record, `file`. */
export const FILE_TABLES = {
  contents,
  base64_content: defineTable({ content: string() }),
};

const TEXT = { content: text() };
const textContent: TableDefinition<typeof TEXT> = { fields: TEXT, rows: (doc) => new RootText(doc.getText('source'), FILE) };

/** What one text file has: one document each. `text_content` (one record, `file`) is a view of the shared text that JupyterLab knows. */
export const TEXT_TABLES = { text_content: textContent };
