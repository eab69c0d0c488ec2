import { isObject, type Json, type JsonObject } from '@bindery/rtc/json.ts';
import type { BlobStore } from './blobs.ts';

/** A value longer than this, in characters, does not go into the document. */
const BIG = 1024 * 1024;
/** Once that much of an execution is in the document, smaller ones do not either. */
const MOST_INLINE = 8 * 1024 * 1024;
const NOT_SMALL = 4 * 1024;
/** Beyond this, nothing more of an execution is kept. */
const MOST_KEPT = 512 * 1024 * 1024;

/** An output whose big values lie beside the document. */
export interface Lightened {
  readonly output: JsonObject;
  readonly characters: number;
}

/** Takes the big values out of the outputs of one execution. */
export class BigValues {
  readonly #blobs: BlobStore;
  #inline = 0;
  #kept = 0;

  constructor(blobs: BlobStore) {
    this.#blobs = blobs;
  }

  /**
   * The output (nbformat, strings in one piece) as it is put into the document. Where a value of `data` is big, links stand for it, that people see as
   * text or image, and the field `blobs` tells the digests by media type.
   */
  lighten(output: JsonObject): Lightened | Promise<Lightened> {
    const data = output['data'] as JsonObject | undefined;
    const sizes = Object.entries(data ?? {}).map(([mime, value]) => [mime, sizeOf(value)] as const);
    const all = sizes.reduce((sum, [, size]) => sum + size, 0);
    const most = this.#inline + all > MOST_INLINE ? NOT_SMALL : BIG;
    const big = sizes.filter(([, size]) => size > most).map(([mime]) => mime);
    if (data && big.length > 0) return this.#without(output, data, big);
    this.#inline += all;
    return { output, characters: all };
  }

  async #without(output: JsonObject, data: JsonObject, big: readonly string[]): Promise<Lightened> {
    const values: Record<string, Json> = {};
    const notes: string[] = [];
    const images: string[] = [];
    for (const mime of big) {
      const bytes = bytesOf(data[mime] ?? null, mime);
      const size = `${(bytes.length / 1024 / 1024).toFixed(1)} MB`;
      this.#kept += bytes.length;
      if (this.#kept > MOST_KEPT) notes.push(`[${mime}, ${size}: more than is kept of one execution]`);
      else {
        try {
          const digest = await this.#blobs.put(bytes, mime);
          values[mime] = { digest, bytes: bytes.length };
          const link = this.#blobs.link(digest);
          notes.push(`[${mime}, ${size}: ${link}]`);
          if (mime.startsWith('image/')) images.push(`<img src="${escaped(link)}" alt="${escaped(mime)}">`);
        } catch (error) {
          notes.push(`[${mime}, ${size}: could not be kept: ${(error as Error).message}]`);
        }
      }
    }
    const small = Object.fromEntries(Object.entries(data).filter(([mime]) => !big.includes(mime)));
    const plain = small['text/plain'];
    const shown = [plain, ...notes].filter((part) => typeof part === 'string').join('\n');
    const html: JsonObject = images.length > 0 && small['text/html'] === undefined ? { 'text/html': images.join('') } : {};
    const record: Blobs = { values, plain: plain ?? null, madeHtml: 'text/html' in html };
    const light = { ...output, data: { ...small, ...html, 'text/plain': shown }, blobs: record };
    const characters = sizeOf(light.data);
    this.#inline += characters;
    return { output: light, characters };
  }
}

/** What is kept with an output of which something lies outside. */
type Blobs = { readonly values: JsonObject; readonly plain: Json; readonly madeHtml: boolean };

function sizeOf(value: Json): number {
  return typeof value === 'string' ? value.length : JSON.stringify(value).length;
}

const isJson = (mime: string): boolean => /[/+]json$/.test(mime);
const isText = (mime: string): boolean => mime.startsWith('text/') || mime === 'image/svg+xml' || /[/+](?:xml|javascript)$/.test(mime);

/** As a server would send it: what is Base64 in the notebook, as bytes. */
function bytesOf(value: Json, mime: string): Buffer {
  if (isJson(mime) || typeof value !== 'string') return Buffer.from(JSON.stringify(value));
  return Buffer.from(value, isText(mime) ? 'utf8' : 'base64');
}

function valueOf(bytes: Buffer, mime: string): Json {
  if (isJson(mime)) return JSON.parse(bytes.toString()) as Json;
  return bytes.toString(isText(mime) ? 'utf8' : 'base64');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
}

/** An output of a document as nbformat has it, with what lies outside put back. Where that is not there any more, what stands for it stays. */
export function wholeOutput(output: JsonObject, blobs: Pick<BlobStore, 'readNow'> | undefined): JsonObject {
  if (!('blob' in output) && !('blobs' in output)) return output;
  const { blob, blobs: record, ...plain } = output;
  const text = found(blob, blobs);
  if (text) return { ...plain, text: text.toString() };
  if (!isObject(record) || !isObject(record['values']) || !isObject(plain['data'])) return plain;
  const values: Record<string, Json> = {};
  for (const [mime, value] of Object.entries(record['values'])) {
    const bytes = found(value, blobs);
    if (!bytes) return plain;
    values[mime] = valueOf(bytes, mime);
  }
  const { 'text/plain': _stand, ...data } = plain['data'];
  const { 'text/html': _made, ...rest } = data;
  const shown: JsonObject = typeof record['plain'] === 'string' ? { 'text/plain': record['plain'] } : {};
  return { ...plain, data: { ...(record['madeHtml'] === true ? rest : data), ...shown, ...values } };
}

function found(reference: unknown, blobs: Pick<BlobStore, 'readNow'> | undefined): Buffer | undefined {
  const digest = isObject(reference) ? reference['digest'] : undefined;
  return typeof digest === 'string' ? blobs?.readNow(digest) : undefined;
}
