import '../no-eval.ts';
import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import type { Room } from '@bindery/rtc/room/room.ts';
import { boolean, number, text } from '@bindery/rtc/tables/fields.ts';
import { defineTable } from '@bindery/rtc/tables/table.ts';
import { RoomPage, UndoButtons } from '../rooms/room-page.tsx';
import { startRoom } from '../rooms/start-room.tsx';
import { SharedInput } from '../rooms/shared-input.tsx';
import { useValue } from '../rooms/use-value.ts';

/** A to-do is taken off the list by `show`, so that a removal can be undone while somebody else edits the line. */
const TABLES = { todo: defineTable({ description: text(), show: boolean(), done: boolean(), made: number() }) };
type TodoRoom = Room<typeof TABLES>;

function TodoPage({ room }: { room: TodoRoom }) {
  return (
    <RoomPage
      room={room}
      title="To-do list"
      lead={<p>Everybody who has the link of this page sees the same list. Open it twice and see.</p>}
      tools={<UndoButtons room={room} />}
    >
      <TodoList room={room} />
    </RoomPage>
  );
}

function TodoList({ room }: { room: TodoRoom }) {
  const { todo } = room.tables;
  const records = useValue(todo.records);
  const isReader = useValue(room.state).role === 'read';
  const todos = records.filter(({ show }) => show).toSorted((a, b) => a.made - b.made || (a.id < b.id ? -1 : 1));
  const left = todos.filter(({ done }) => !done).length;
  const list = useRef<HTMLUListElement>(null);
  const remove = (id: string): void => {
    room.history.cut();
    todo.update(id, { show: false });
    // The button that had the focus is gone.
    list.current?.focus();
  };
  return (
    <section class="sheet todo" aria-label="To do">
      {!isReader && <NewTodo room={room} />}
      <ul ref={list} tabIndex={-1} aria-label="To-dos">
        {todos.map(({ id, description, done }) => (
          <li key={id} class={done ? 'done' : ''}>
            <input
              type="checkbox"
              aria-label={`Done: ${description}`}
              checked={done}
              disabled={isReader}
              onChange={(event) => {
                room.history.cut();
                todo.update(id, { done: event.currentTarget.checked });
              }}
            />
            <SharedInput
              value={description}
              label="What is to be done"
              disabled={isReader}
              edited={(value) => todo.update(id, { description: value })}
              done={() => room.history.cut()}
            />
            {!isReader && (
              <button type="button" class="button plain small" aria-label={`Remove: ${description}`} onClick={() => remove(id)}>
                Remove
              </button>
            )}
          </li>
        ))}
      </ul>
      <p class="quiet small" role="status">
        {todos.length === 0 ? 'Nothing to do.' : `${left} of ${todos.length} left.`}
      </p>
    </section>
  );
}

function NewTodo({ room }: { room: TodoRoom }) {
  const description = useSignal('');
  const add = (event: Event): void => {
    event.preventDefault();
    if (description.value.trim() === '') return;
    room.history.cut();
    room.tables.todo.create({ description: description.value.trim(), show: true, made: Date.now() });
    description.value = '';
  };
  return (
    <form class="todo-new" onSubmit={add}>
      <input
        class="field"
        aria-label="New to-do"
        placeholder="What is to be done?"
        value={description.value}
        onInput={(event) => (description.value = event.currentTarget.value)}
      />
      <button type="submit" class="button primary">
        Add
      </button>
    </form>
  );
}

startRoom('rtc-todo', TABLES, (room) => <TodoPage room={room} />);
