import { isObject, type Json, type JsonObject } from '@bindery/rtc/json.ts';
import type { Display } from '@bindery/rtc/tables/jupyter.ts';
import type { Asked } from './budget.ts';

const DIGEST = /^[0-9a-f]{64}$/;

/** The address of what lies outside of the document. */
export type BlobUrl = (digest: string) => string;

/** An output as the schema has it; what is long is counted when it is asked for. */
export type OutputView = ReturnType<typeof streamView> | ReturnType<typeof dataView> | ReturnType<typeof errorView>;

/** An output of a document (nbformat, strings in one piece); undefined for what is none. */
export function outputView(output: Json, blobUrl: BlobUrl): OutputView | undefined {
  if (!isObject(output)) return undefined;
  const { output_type: type } = output;
  if (type === 'stream') return streamView(textOf(output['name']), textOf(output['text']), blobOf(output['blob'], blobUrl));
  if (type === 'error') return errorView(output['ename'], output['evalue'], output['traceback']);
  return type === 'display_data' || type === 'execute_result' ? dataView(output, blobUrl) : undefined;
}

/** What an execution shows that has no cell. */
export function displayView(display: Display, blobUrl: BlobUrl): OutputView {
  return display.type === 'stream'
    ? streamView(display.name, display.text, null)
    : dataView({ output_type: 'display_data', data: display.data, metadata: display.metadata }, blobUrl);
}

export function errorView(name: Json | undefined, message: Json | undefined, traceback: Json | undefined) {
  const lines = Array.isArray(traceback) ? traceback.filter((line) => typeof line === 'string') : [];
  return {
    __typename: 'ErrorOutput' as const,
    name: textOf(name),
    message: (_: unknown, { budget }: Asked) => budget.spend(textOf(message)),
    traceback: (_: unknown, { budget }: Asked) => budget.spend(lines),
  };
}

function streamView(name: string, text: string, blob: object | null) {
  return { __typename: 'StreamOutput' as const, name, text: (_: unknown, { budget }: Asked) => budget.spend(text), blob };
}

function dataView(output: JsonObject, blobUrl: BlobUrl) {
  const { output_type: type, metadata, execution_count: count } = output;
  return {
    __typename: 'DataOutput' as const,
    isResult: type === 'execute_result',
    executionCount: typeof count === 'number' && Number.isInteger(count) ? count : null,
    values: ({ types }: { types?: readonly string[] | null }) =>
      mediaOf(output, blobUrl).filter(({ type }) => types === undefined || types === null || types.includes(type)),
    metadata: (_: unknown, { budget }: Asked) => budget.spend(isObject(metadata) ? metadata : {}),
  };
}

/** Its values by media type. Where one lies outside, what stands for it in the document (`supernode/big-values.ts`) is none of the output's. */
function mediaOf({ data, blobs }: JsonObject, blobUrl: BlobUrl) {
  const record = isObject(blobs) ? blobs : {};
  const outside = isObject(record['values']) ? record['values'] : {};
  const inside = { ...(isObject(data) ? data : {}) } as Record<string, Json>;
  if (isObject(blobs)) {
    if (record['madeHtml'] === true) delete inside['text/html'];
    if (typeof record['plain'] === 'string') inside['text/plain'] = record['plain'];
    else delete inside['text/plain'];
  }
  const values = Object.entries(inside).map(([type, value]) => ({
    type,
    value: (_: unknown, { budget }: Asked) => budget.spend(value),
    blob: null as object | null,
  }));
  const away = Object.entries(outside).map(([type, place]) => ({ type, value: () => null, blob: blobOf(place, blobUrl) }));
  return [...values.filter(({ type }) => !(type in outside)), ...away];
}

/** Anybody who may edit can have written it. */
function blobOf(place: Json | undefined, blobUrl: BlobUrl): object | null {
  const { digest, bytes } = isObject(place) ? place : {};
  if (typeof digest !== 'string' || !DIGEST.test(digest)) return null;
  return { url: blobUrl(digest), bytes: typeof bytes === 'number' && bytes >= 0 ? bytes : 0 };
}

function textOf(value: Json | undefined): string {
  // Some writers of the shared form keep a text in pieces.
  if (Array.isArray(value)) return value.filter((piece) => typeof piece === 'string').join('');
  return typeof value === 'string' ? value : '';
}
