import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import type { Room } from '@bindery/rtc/room/room.ts';
import type { Definitions } from '@bindery/rtc/tables/table.ts';
import { Debugger } from '../debugger/debugger.tsx';
import { Notice } from '../shell/notice.tsx';
import { Page } from '../shell/page.tsx';
import { Top } from '../shell/top.tsx';
import { RoomBadge } from './room-state.tsx';
import { useValue } from './use-value.ts';
import { WhoIsHere } from './who-is-here.tsx';

/** The frame of a page that is a room: who is here, whether it is saved, and what is inside, for those who want to look. */
export function RoomPage<D extends Definitions>({ room, title, lead, tools, children }: RoomPageProps<D>) {
  const state = useValue(room.state);
  return (
    <>
      <Top>
        <RoomBadge state={room.state} />
      </Top>
      <Page title={title} heading={title} lead={lead} class="room">
        <div class="room-bar">
          <WhoIsHere awareness={room.awareness} />
          {tools && <div class="room-tools">{tools}</div>}
        </div>
        {state.phase === 'ended' && (
          <Notice kind="bad" title="You are out of the room" focus>
            <p class="wrap">{state.error?.message}</p>
            <p>{state.error?.hint}</p>
          </Notice>
        )}
        {state.role === undefined ? state.phase === 'connecting' && <p class="quiet">Opening the document…</p> : children}
        <Inside room={room} />
      </Page>
    </>
  );
}

interface RoomPageProps<D extends Definitions> {
  room: Room<D>;
  title: string;
  lead?: ComponentChildren;
  /** At the other end of the line that tells who is here. */
  tools?: ComponentChildren;
  children: ComponentChildren;
}

/** The debugger, when it is asked for. */
function Inside<D extends Definitions>({ room }: { room: Room<D> }) {
  const isOpen = useSignal(false);
  return (
    <details class="inside" onToggle={(event) => (isOpen.value = event.currentTarget.open)}>
      <summary>Look inside</summary>
      {isOpen.value && <Debugger room={room} />}
    </details>
  );
}

/** Undo and redo of what was done here, whatever the others do meanwhile. */
export function UndoButtons<D extends Definitions>({ room }: { room: Room<D> }) {
  const { undo, redo } = useValue(room.history.depth);
  return (
    <>
      <button type="button" class="button small" disabled={undo === 0} onClick={() => room.history.undo()}>
        Undo
      </button>
      <button type="button" class="button small" disabled={redo === 0} onClick={() => room.history.redo()}>
        Redo
      </button>
    </>
  );
}

/** For a page whose address names no room. */
export function NoRoom({ children }: { children: ComponentChildren }) {
  return (
    <Page title="No room" heading="Which room?" class="room">
      <Notice kind="warn" title="The address of this page names no room">
        <p>{children}</p>
      </Notice>
    </Page>
  );
}
