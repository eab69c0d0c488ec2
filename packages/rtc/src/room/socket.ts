/** A connection that carries whole binary frames. */
export interface Socket {
  send(frame: Uint8Array): void;
  /** Ends it; nothing is heard of it any more. */
  close(): void;
}

export interface SocketEvents {
  opened(): void;
  /** What is not binary comes as an empty frame, which is none of any protocol. */
  received(frame: Uint8Array): void;
  /** Also when it could not be opened. Once, and nothing comes after. */
  closed(code: number, reason: string): void;
}

/** Opens a connection. Throws when the address is none. */
export type OpenSocket = (url: string, events: SocketEvents) => Socket;

/** The WebSocket that browsers and Node have. */
export const webSocket: OpenSocket = (url, events) => {
  const socket = new WebSocket(url);
  const heard = new AbortController();
  const { signal } = heard;
  socket.binaryType = 'arraybuffer';
  socket.addEventListener('open', () => events.opened(), { signal });
  socket.addEventListener('message', ({ data }) => events.received(data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array()), {
    signal,
  });
  socket.addEventListener(
    'close',
    ({ code, reason }) => {
      heard.abort();
      events.closed(code, reason);
    },
    { signal },
  );
  return {
    send: (frame) => socket.send(frame as Uint8Array<ArrayBuffer>),
    close: () => {
      heard.abort();
      socket.close();
    },
  };
};
