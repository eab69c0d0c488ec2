/** One message of a `text/event-stream` (WHATWG HTML, "Server-sent events"). */
export interface StreamMessage {
  /** The last `id:` seen so far; empty when there was none. */
  readonly id: string;
  readonly data: string;
}

/** Longest message that is accepted, in characters: a stream that goes beyond is not ours. */
const LONGEST = 4 * 1024 * 1024;

/** Cuts text, however it was chunked, into messages. Comments and the fields `event` and `retry` are passed over. */
export class EventStreamParser {
  #rest = '';
  #data: string[] = [];
  #length = 0;
  #id = '';

  /** The messages that this chunk completes. Throws when a message grows beyond 4 Mi characters. */
  push(chunk: string): StreamMessage[] {
    // A carriage return at the very end may be the first half of a pair: it waits for the next chunk.
    const lines = (this.#rest + chunk).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? '';
    const messages: StreamMessage[] = [];
    for (const line of lines) {
      const message = this.#line(line);
      if (message) messages.push(message);
    }
    if (this.#rest.length + this.#length > LONGEST) throw new Error('The event stream sent a message that does not end.');
    return messages;
  }

  #line(line: string): StreamMessage | undefined {
    if (line === '') {
      const message = this.#data.length > 0 ? { id: this.#id, data: this.#data.join('\n') } : undefined;
      this.#data = [];
      this.#length = 0;
      return message;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') {
      this.#data.push(value);
      this.#length += value.length;
    } else if (field === 'id' && !value.includes('\0')) {
      this.#id = value;
    }
    return undefined;
  }
}
