import type { Observable } from '@bindery/rtc/observable.ts';
import type { RoomState } from '@bindery/rtc/room/room.ts';
import { useValue } from './use-value.ts';

interface Said {
  readonly kind: 'good' | 'warn' | 'bad' | 'calm';
  readonly text: string;
  readonly title: string;
}

/** Whether one is in step with the others, and whether what was done is safe. */
export function RoomBadge({ state }: { state: Observable<RoomState> }) {
  const now = useValue(state);
  const { kind, text, title } = said(now);
  return (
    <p class="room-badges">
      {now.role === 'read' && <span class="room-badge calm">Read only</span>}
      <span class={`room-badge ${kind}`} role="status" title={title}>
        {text}
      </span>
    </p>
  );
}

function said({ phase, isSaved, role }: RoomState): Said {
  if (phase === 'connecting') return { kind: 'calm', text: 'Connecting…', title: 'The room is being opened.' };
  if (phase === 'offline' && isSaved) return { kind: 'warn', text: 'Offline', title: 'You may go on: it is sent when the server is back.' };
  if (phase === 'offline')
    return { kind: 'warn', text: 'Offline, not saved', title: 'What you did is kept on this page and sent when the server is back.' };
  if (phase === 'ended' || phase === 'closed') return { kind: 'bad', text: 'Ended', title: 'The room is closed.' };
  if (role === 'read') return { kind: 'good', text: 'Live', title: 'You see what the others do.' };
  if (!isSaved) return { kind: 'calm', text: 'Saving…', title: 'The server has not yet said that your edits are safe.' };
  return { kind: 'good', text: 'Saved', title: 'All that you did is where a crash cannot reach it.' };
}
