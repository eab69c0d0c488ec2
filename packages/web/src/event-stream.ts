/** One message of a `text/event-stream` (the WHATWG HTML standard, "Server-sent events"). */
export interface StreamMessage {
  readonly id: string;
  readonly data: string;
}

/** Longest line that is accepted, in characters: a stream that never ends a line is not ours. */
const MAX_LINE = 4 << 20;

/** Splits chunks of text into messages. Comments, `event:` and `retry:` fields are passed over. */
export class StreamParser {
  #buffer = '';
  #data: string[] = [];
  #id = '';

  /** The messages that this chunk completes. */
  push(chunk: string): StreamMessage[] {
    const lines = (this.#buffer + chunk).split(/\r\n|\n|\r(?!$)/);
    this.#buffer = lines.pop() ?? '';
    if (this.#buffer.length > MAX_LINE) throw new Error('The event stream sent a line that does not end.');
    const messages: StreamMessage[] = [];
    for (const line of lines) {
      if (line === '') {
        if (this.#data.length > 0) messages.push({ id: this.#id, data: this.#data.join('\n') });
        this.#data = [];
        continue;
      }
      const colon = line.indexOf(':');
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'data') this.#data.push(value);
      if (field === 'id') this.#id = value;
    }
    return messages;
  }
}

/** Reads a response's messages as they arrive, several at a time where they came together. */
export async function* readStream(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamMessage[]> {
  const parser = new StreamParser();
  const reader = body.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const messages = parser.push(value);
      if (messages.length > 0) yield messages;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Milliseconds to wait before the attempt with this number (from 0): 0.5 s doubling to 15 s, ± 20 %. */
export function backOff(attempt: number, random: () => number = Math.random): number {
  return Math.round(Math.min(15_000, 500 * 2 ** Math.min(attempt, 10)) * (0.8 + 0.4 * random()));
}
