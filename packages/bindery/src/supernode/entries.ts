import { z } from 'zod';
import type { FOLDER_TABLES } from '@bindery/rtc/tables/files.ts';
import type { RecordOf } from '@bindery/rtc/tables/table.ts';
import { encoded } from './jupyter-server.ts';

/** What the Contents API says of a file or folder that is in a folder, or that was made. */
export const Entry = z.object({
  name: z.string(),
  path: z.string(),
  type: z.enum(['directory', 'file', 'notebook']),
  writable: z.boolean().nullish(),
  created: z.string().nullish(),
  last_modified: z.string(),
  size: z.number().nullish(),
  mimetype: z.string().nullish(),
  format: z.string().nullish(),
});
export type Entry = z.infer<typeof Entry>;

/** A folder, with what is in it. What the server can't describe is passed over. */
export const Listing = z.object({
  type: z.literal('directory'),
  last_modified: z.string(),
  content: z.array(z.unknown()).transform((all) => all.flatMap((each) => Entry.safeParse(each).data ?? [])),
});

type Contents = RecordOf<(typeof FOLDER_TABLES)['contents']['fields']>;

/** The fields of a record that say what the server said; what it did not say is left out. */
export function fieldsOf(entry: Entry, room: string | undefined): Partial<Contents> {
  const { name, path, type, writable, created, last_modified: lastModified, size, mimetype, format } = entry;
  return {
    name,
    path,
    type,
    writeable: writable ?? true,
    lastModified,
    ...(created ? { created } : {}),
    ...(typeof size === 'number' ? { size } : {}),
    ...(mimetype ? { mimetype } : {}),
    ...(format ? { format } : {}),
    ...(room === undefined ? {} : { content: room }),
  };
}

/** Where a file's bytes are, below the server's base address. */
export function hrefOf(path: string): string {
  return `files/${encoded(path)}`;
}

/** The room of a file or folder of this id. */
export function roomNameOf(type: Entry['type'], id: string, format = 'text'): string {
  return type === 'file' ? `${format}:file:${id}` : `json:${type}:${id}`;
}
