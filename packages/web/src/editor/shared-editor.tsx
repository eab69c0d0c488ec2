import { defaultKeymap, indentWithTab } from '@codemirror/commands';
import { bracketMatching, indentOnInput, indentUnit, syntaxHighlighting } from '@codemirror/language';
import { Compartment, EditorState, Prec, type Extension } from '@codemirror/state';
import { drawSelection, EditorView, highlightSpecialChars, keymap, placeholder } from '@codemirror/view';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type * as Y from 'yjs';
import type { Room } from '@bindery/rtc/room/room.ts';
import type { Definitions } from '@bindery/rtc/tables/table.ts';
import { adoptingStyles } from '../log/adopted-styles.ts';
import { highlighting, languageOf } from './languages.ts';
import { remoteCursors } from './remote-cursors.ts';
import { textBinding } from './text-binding.ts';

/** An editor of a shared text, with the cursors of the others. Undo is the room's: it takes back one's own steps only. */
export function SharedEditor<D extends Definitions>(props: SharedEditorProps<D>) {
  const { room, text, label, language = '', readOnly = false, hint = '', keys } = props;
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  const changing = useRef({ access: new Compartment(), about: new Compartment() });
  // Keys do what the latest rendering says.
  const latest = useRef(keys);
  latest.current = keys;
  // At once, so that whoever made the cell can go to it.
  useLayoutEffect(() => {
    if (!host.current) return undefined;
    const { access, about } = changing.current;
    const extensions = [
      basics(hint),
      Prec.highest(keymap.of((keys ?? []).map(([key], index) => ({ key, run: () => latest.current?.[index]?.[1]() ?? false })))),
      keymap.of([
        { key: 'Mod-z', run: () => (room.history.undo(), true), preventDefault: true },
        { key: 'Mod-Shift-z', run: () => (room.history.redo(), true), preventDefault: true },
        { key: 'Mod-y', run: () => (room.history.redo(), true), preventDefault: true },
      ]),
      access.of(accessOf(readOnly)),
      about.of([languageOf(language), labelled(label)]),
      textBinding(text, (body) => room.transact(body)),
      remoteCursors(text, room.awareness),
    ];
    adoptingStyles(document, () => {
      if (host.current) view.current = new EditorView({ doc: text.toJSON(), extensions, parent: host.current });
    });
    return () => view.current?.destroy();
  }, [text, room]);
  useEffect(() => {
    view.current?.dispatch({ effects: changing.current.access.reconfigure(accessOf(readOnly)) });
  }, [readOnly]);
  useEffect(() => {
    view.current?.dispatch({ effects: changing.current.about.reconfigure([languageOf(language), labelled(label)]) });
  }, [language, label]);
  return <div class={`shared-editor ${readOnly ? 'read-only' : ''}`} ref={host} />;
}

interface SharedEditorProps<D extends Definitions> {
  room: Room<D>;
  text: Y.Text;
  label: string;
  /** As notebooks name it; others than those that are known are shown as plain text. */
  language?: string;
  readOnly?: boolean;
  /** Shown while there is no text. */
  hint?: string;
  /** Keys with a meaning of their own; true says that it was done. Which keys there are must not change. */
  keys?: readonly (readonly [key: string, run: () => boolean])[];
}

function basics(hint: string): Extension {
  return [
    EditorState.lineSeparator.of('\n'),
    highlightSpecialChars(),
    drawSelection(),
    indentOnInput(),
    bracketMatching(),
    indentUnit.of('    '),
    EditorState.tabSize.of(4),
    EditorView.lineWrapping,
    EditorView.contentAttributes.of({ spellcheck: 'false' }),
    hint === '' ? [] : placeholder(hint),
    syntaxHighlighting(highlighting),
    // Escape and then Tab leave the editor, so that the keyboard is not trapped.
    keymap.of([...defaultKeymap, indentWithTab]),
  ];
}

function accessOf(readOnly: boolean): Extension {
  return [
    EditorState.readOnly.of(readOnly),
    EditorView.editable.of(!readOnly),
    readOnly ? EditorView.contentAttributes.of({ tabindex: '0' }) : [],
  ];
}

function labelled(label: string): Extension {
  return EditorView.contentAttributes.of({ 'aria-label': label });
}
