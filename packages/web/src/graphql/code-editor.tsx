import { autocompletion, closeBrackets, completionKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap, indentWithTab } from '@codemirror/commands';
import { bracketMatching, indentOnInput, syntaxHighlighting } from '@codemirror/language';
import { Compartment, EditorState, Prec, type Extension } from '@codemirror/state';
import { drawSelection, EditorView, keymap, placeholder } from '@codemirror/view';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { highlighting } from '../editor/languages.ts';
import { adoptingStyles } from '../log/adopted-styles.ts';

/** A text of one's own. What is given from outside replaces it when it is another than what stands there. */
export function CodeEditor({ label, text, language, changed, run, readOnly = false, hint = '' }: CodeEditorProps) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  const spoken = useRef(new Compartment());
  // They do what the latest rendering says.
  const latest = useRef({ changed, run });
  latest.current = { changed, run };
  useLayoutEffect(() => {
    if (!host.current) return undefined;
    const extensions = [
      Prec.highest(keymap.of([{ key: 'Mod-Enter', run: () => (latest.current.run?.(), true) }])),
      EditorView.lineWrapping,
      EditorView.contentAttributes.of({ 'aria-label': label, spellcheck: 'false', ...(readOnly ? { tabindex: '0' } : {}) }),
      EditorState.tabSize.of(2),
      drawSelection(),
      bracketMatching(),
      syntaxHighlighting(highlighting),
      spoken.current.of(language),
      hint === '' ? [] : placeholder(hint),
      readOnly ? [EditorState.readOnly.of(true), EditorView.editable.of(false)] : writing,
      EditorView.updateListener.of(({ docChanged, state }) => docChanged && latest.current.changed?.(state.doc.toString())),
    ];
    adoptingStyles(document, () => {
      if (host.current) view.current = new EditorView({ doc: text, extensions, parent: host.current });
    });
    return () => view.current?.destroy();
  }, []);
  // In the breath in which it is rendered: what is written after that must not be taken back.
  useLayoutEffect(() => {
    const { state } = view.current ?? {};
    if (!state || state.doc.toString() === text) return;
    view.current?.dispatch({ changes: { from: 0, to: state.doc.length, insert: text } });
  }, [text]);
  useEffect(() => adoptingStyles(document, () => view.current?.dispatch({ effects: spoken.current.reconfigure(language) })), [language]);
  return <div class={`shared-editor ${readOnly ? 'read-only' : ''}`} ref={host} />;
}

interface CodeEditorProps {
  label: string;
  text: string;
  language: Extension;
  changed?: (text: string) => void;
  /** Ctrl-Enter. */
  run?: () => void;
  readOnly?: boolean;
  hint?: string;
}

// Escape and then Tab leave the editor, so that the keyboard is not trapped.
const writing: Extension = [
  history(),
  indentOnInput(),
  closeBrackets(),
  autocompletion(),
  keymap.of([...completionKeymap, ...defaultKeymap, ...historyKeymap, indentWithTab]),
];
