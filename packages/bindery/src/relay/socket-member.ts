import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import type { Member } from './audience.ts';

/** Bytes that a waiting message takes beside its own: as many as of the smallest ones may wait, they would take a hundred times what they hold. */
const MESSAGE_BYTES = 512;
/** Bytes up to which a payload is copied behind its frame's head, so that both go in one write. */
const SMALL = 16 * 1024;
/** The first byte of a frame that is a whole binary message. */
const WHOLE_BINARY = 0x82;
const OPEN = 1;

/** Payloads as WebSocket frames: what many are told, one after the other, is made once. */
export class Frames {
  #payload: Uint8Array | undefined;
  #pieces: readonly Uint8Array[] = [];

  of(payload: Uint8Array): readonly Uint8Array[] {
    // Of a large one, only the head is made, and nothing kept.
    if (payload.length > SMALL) return framed(payload);
    if (payload !== this.#payload) [this.#payload, this.#pieces] = [payload, framed(payload)];
    return this.#pieces;
  }
}

/**
 * A WebSocket as a member of a room. Messages go to its `socket` as they are, past what a message of its own kind would cost each time. `drained` is
 * called whenever a message has gone that had to wait.
 */
export function socketMember(
  open: Pick<WebSocket, 'readyState' | 'close'>,
  socket: Pick<Duplex, 'write' | 'cork' | 'uncork' | 'writableLength'>,
  frames: Frames,
  { role, user, owner, dialect }: Pick<Member, 'role' | 'user' | 'owner' | 'dialect'>,
  drained: () => void,
): Member {
  let messages = 0;
  const gone = (): void => {
    messages -= 1;
    drained();
  };
  const later = (pieces: readonly Uint8Array[]): void => {
    messages += 1;
    socket.cork();
    for (const [index, piece] of pieces.entries()) socket.write(piece, index === pieces.length - 1 ? gone : undefined);
    socket.uncork();
  };
  return {
    role,
    dialect,
    user,
    owner,
    send(payload) {
      // Nothing may stand behind the frame that closes it.
      if (open.readyState !== OPEN) return;
      const pieces = frames.of(payload);
      const [only] = pieces;
      if (only && pieces.length === 1 && socket.writableLength === 0) socket.write(only);
      else later(pieces);
    },
    waiting: () => socket.writableLength + messages * MESSAGE_BYTES,
    close: (code, reason) => open.close(code, reason),
  };
}

/** The frame in as many pieces as are to be written (RFC 6455, 5.2): from a server, it is not masked. */
function framed(payload: Uint8Array): readonly Uint8Array[] {
  const { length } = payload;
  const size = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(length <= SMALL ? size + length : size);
  frame[0] = WHOLE_BINARY;
  frame[1] = size === 2 ? length : size === 4 ? 126 : 127;
  if (size === 4) frame.writeUInt16BE(length, 2);
  if (size === 10) frame.writeBigUInt64BE(BigInt(length), 2);
  if (length > SMALL) return [frame, payload];
  frame.set(payload, size);
  return [frame];
}
