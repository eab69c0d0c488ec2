import { render, type ComponentChildren } from 'preact';
import { connect } from '@bindery/rtc/room/connect.ts';
import type { Room } from '@bindery/rtc/room/room.ts';
import type { Definitions } from '@bindery/rtc/tables/table.ts';
import { introduce } from './people.ts';
import { roomLink } from './room-link.ts';
import { NoRoom } from './room-page.tsx';

/** Shows the page of the room that the page's address names; where it names none, how the example is started. */
export function startRoom<D extends Definitions>(example: string, tables: D, page: (room: Room<D>) => ComponentChildren): void {
  const root = document.getElementById('page');
  if (!root) return;
  root.replaceChildren();
  const url = roomLink(location.hash);
  if (url === undefined) {
    render(
      <NoRoom>
        Start it with <code>npm run example {example}</code> and open the link that it prints.
      </NoRoom>,
      root,
    );
    return;
  }
  const room = connect({ url, tables });
  introduce(room.awareness);
  addEventListener('pagehide', () => room.close());
  render(<>{page(room)}</>, root);
}
