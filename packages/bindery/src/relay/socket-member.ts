import type { WebSocket } from 'ws';
import type { Member } from './audience.ts';

/** Bytes that a waiting message takes beside its own: as many as of the smallest ones may wait, they would take a hundred times what they hold. */
const MESSAGE_BYTES = 512;

/** A WebSocket as a member of a room. `drained` is called whenever a message has gone. */
export function socketMember(
  open: Pick<WebSocket, 'send' | 'close' | 'bufferedAmount'>,
  { role, user, owner, dialect }: Pick<Member, 'role' | 'user' | 'owner' | 'dialect'>,
  drained: () => void,
): Member {
  let messages = 0;
  const gone = (): void => {
    messages -= 1;
    drained();
  };
  return {
    role,
    dialect,
    user,
    owner,
    send(frame) {
      messages += 1;
      open.send(frame, gone);
    },
    waiting: () => open.bufferedAmount + messages * MESSAGE_BYTES,
    close: (code, reason) => open.close(code, reason),
  };
}
