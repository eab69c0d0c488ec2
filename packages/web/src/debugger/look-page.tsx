import { useSignal } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import { connect } from '@bindery/rtc/room/connect.ts';
import { RoomBadge } from '../rooms/room-state.tsx';
import { roomLink } from '../rooms/room-link.ts';
import { useValue } from '../rooms/use-value.ts';
import { Notice } from '../shell/notice.tsx';
import { Page } from '../shell/page.tsx';
import { Debugger } from './debugger.tsx';
import { withFoundTables } from './found-tables.ts';

/** Looks into a room of a relay, by its link, which stays after the `#` of the address: no server is told it. */
export function LookPage() {
  const typed = useSignal(location.hash.slice(1));
  const link = useSignal(roomLink(location.hash));
  const isWrong = useSignal(false);
  const open = (event: Event): void => {
    event.preventDefault();
    link.value = roomLink(typed.value.trim());
    isWrong.value = link.value === undefined;
    if (link.value !== undefined) history.replaceState(history.state, '', `#${link.value}`);
  };
  return (
    <Page
      title="Look into a room"
      heading="Look into a room"
      lead={<p>What a shared document of a relay holds, and what happens in it, as it happens.</p>}
    >
      <form class="look-form" onSubmit={open}>
        <label for="look-link">Link of the room</label>
        <span>
          <input
            id="look-link"
            class="field"
            autocomplete="off"
            spellcheck={false}
            placeholder="ws://localhost:8686/room/notes?share=…"
            value={typed.value}
            aria-invalid={isWrong.value}
            aria-describedby="look-help"
            onInput={(event) => (typed.value = event.currentTarget.value)}
          />
          <button type="submit" class="button primary">
            Look
          </button>
        </span>
        <p id="look-help" class={isWrong.value ? 'wrong small' : 'quiet small'}>
          As <code>bindery share</code> prints it: it begins with ws:// or wss://.
        </p>
      </form>
      {link.value !== undefined && <Look key={link.value} url={link.value} />}
    </Page>
  );
}

function Look({ url }: { url: string }) {
  const room = useMemo(() => connect({ url, tables: {} }), [url]);
  useEffect(() => () => room.close(), [room]);
  const found = useMemo(() => withFoundTables(room), [room]);
  const shown = useValue(found);
  const { phase, error } = useValue(room.state);
  return (
    <>
      <RoomBadge state={room.state} />
      {phase === 'ended' && (
        <Notice kind="bad" title="The room can't be entered" focus>
          <p class="wrap">{error?.message}</p>
          <p>
            Pages enter a relay that names their origin: start it with <code class="wrap">--set relay.allowOrigins={location.origin}</code>.
          </p>
        </Notice>
      )}
      <Debugger room={shown} />
    </>
  );
}
