import '../no-eval.ts';
import { useEffect } from 'preact/hooks';
import type { Room } from '@bindery/rtc/room/room.ts';
import { boolean, text } from '@bindery/rtc/tables/fields.ts';
import { defineTable } from '@bindery/rtc/tables/table.ts';
import { SharedEditor } from '../editor/shared-editor.tsx';
import { RoomPage, UndoButtons } from '../rooms/room-page.tsx';
import { startRoom } from '../rooms/start-room.tsx';
import { useValue } from '../rooms/use-value.ts';

/** `readOnly` is an agreement among those who may write; who may not is kept from it by the relay, by role. */
const TABLES = { editors: defineTable({ readOnly: boolean(), text: text() }) };
type EditorsRoom = Room<typeof TABLES>;

const DOCUMENTS = [
  ['one', 'First document'],
  ['two', 'Second document'],
  ['three', 'Third document'],
] as const;

function EditorsPage({ room }: { room: EditorsRoom }) {
  const { phase, role } = useValue(room.state);
  useEffect(() => {
    if (phase !== 'open' || role === 'read') return;
    for (const [id] of DOCUMENTS)
      if (!room.tables.editors.get(id)) room.transact(() => room.tables.editors.create({}, { id }), { undoable: false });
  }, [phase, role]);
  return (
    <RoomPage
      room={room}
      title="Three documents"
      lead={<p>Texts that many write at once, with everybody's cursor and selection. Each can be closed to writing, for all.</p>}
      tools={<UndoButtons room={room} />}
    >
      <div class="documents">
        {DOCUMENTS.map(([id, title]) => (
          <SharedDocument key={id} room={room} id={id} title={title} />
        ))}
      </div>
    </RoomPage>
  );
}

function SharedDocument({ room, id, title }: { room: EditorsRoom; id: string; title: string }) {
  const { editors } = room.tables;
  const isReader = useValue(room.state).role === 'read';
  const all = useValue(editors.records);
  const record = all.find((each) => each.id === id);
  if (!record) return null;
  return (
    <section class="sheet document" aria-labelledby={`title-${id}`}>
      <div class="document-head">
        <h2 id={`title-${id}`}>{title}</h2>
        <label>
          <input
            type="checkbox"
            role="switch"
            checked={record.readOnly}
            disabled={isReader}
            onChange={(event) => {
              room.history.cut();
              editors.update(id, { readOnly: event.currentTarget.checked });
            }}
          />
          Read only
        </label>
      </div>
      <SharedEditor
        room={room}
        text={editors.text(id, 'text')}
        label={title}
        language="markdown"
        readOnly={isReader || record.readOnly}
        hint="Write something."
      />
    </section>
  );
}

startRoom('rtc-lumino', TABLES, (room) => <EditorsPage room={room} />);
