import * as Y from 'yjs';
import type { JsonObject } from '@bindery/rtc/json.ts';
import { sharedOutput } from '@bindery/rtc/notebook/shared-notebook.ts';
import { sharedMap } from '@bindery/rtc/shared-json.ts';

/** A list that outputs are put into, and the form that they have there. */
export interface OutputPlace {
  readonly list: Y.Array<unknown>;
  readonly stream: (name: string, text: string) => Y.Map<unknown>;
  /** Of an output of nbformat; undefined where it has no form there. */
  readonly output: (output: JsonObject, displayId: string | undefined) => Y.Map<unknown> | undefined;
  readonly isStream: (map: Y.Map<unknown>, name: string) => boolean;
}

/** The outputs of a cell. */
export function inCell(list: Y.Array<unknown>): OutputPlace {
  return {
    list,
    stream: (name, text) => sharedOutput({ output_type: 'stream', name, text }),
    output: (output) => sharedOutput(output),
    isStream: (map, name) => map.get('output_type') === 'stream' && map.get('name') === name,
  };
}

/** The displays of a record of `executions`, for what has no cell (any more). Result and error are in the record's status. */
export function inRecord(list: Y.Array<unknown>): OutputPlace {
  return {
    list,
    stream: (name, text) => {
      const map = sharedMap({ type: 'stream', name: name === 'stderr' ? 'stderr' : 'stdout' });
      map.set('text', new Y.Text(text));
      return map;
    },
    output: ({ output_type: type, data = {}, metadata = {} }, displayId) =>
      type === 'display_data' ? sharedMap({ type: 'data', data, metadata, displayId: displayId ?? null }) : undefined,
    isStream: (map, name) => map.get('type') === 'stream' && map.get('name') === name,
  };
}
