import { Annotation, type ChangeSpec, type Extension } from '@codemirror/state';
import { ViewPlugin, type EditorView, type PluginValue, type ViewUpdate } from '@codemirror/view';
import type * as Y from 'yjs';

/** Marks what came from the shared text, so that it is not sent back. */
const FromShared = Annotation.define<boolean>();

/** Runs what changes the shared text; throws where that is not allowed. */
export type Edit = (body: () => void) => void;

/**
 * Keeps an editor and a shared text the same. Both count in UTF-16 units; the editor must be told that only `\n` ends a line, or it would count
 * others' `\r\n` as one.
 */
export function textBinding(text: Y.Text, edit: Edit): Extension {
  return ViewPlugin.define((view) => new Binding(view, text, edit));
}

class Binding implements PluginValue {
  readonly #view: EditorView;
  readonly #text: Y.Text;
  readonly #edit: Edit;
  #isWriting = false;

  constructor(view: EditorView, text: Y.Text, edit: Edit) {
    this.#view = view;
    this.#text = text;
    this.#edit = edit;
    text.observe(this.#heard);
  }

  update(update: ViewUpdate): void {
    if (!update.docChanged || update.transactions.some((each) => each.annotation(FromShared))) return;
    this.#isWriting = true;
    try {
      this.#edit(() => {
        let moved = 0;
        update.changes.iterChanges((from, to, _fromB, _toB, inserted) => {
          if (to > from) this.#text.delete(from + moved, to - from);
          if (inserted.length > 0) this.#text.insert(from + moved, inserted.toString());
          moved += inserted.length - (to - from);
        });
      });
    } catch {
      // The room has just ended, or nobody may write any more: the editor shows again what the others see.
      queueMicrotask(() => this.#reset());
    } finally {
      this.#isWriting = false;
    }
  }

  destroy(): void {
    this.#text.unobserve(this.#heard);
  }

  readonly #heard = (event: Y.YTextEvent): void => {
    if (this.#isWriting) return;
    const changes: ChangeSpec[] = [];
    let at = 0;
    for (const { retain, delete: removed, insert } of event.delta) {
      if (retain !== undefined) at += retain;
      else if (removed !== undefined) {
        changes.push({ from: at, to: at + removed });
        at += removed;
      } else if (typeof insert === 'string') changes.push({ from: at, insert });
    }
    this.#view.dispatch({ changes, annotations: FromShared.of(true) });
    if (this.#view.state.doc.length !== this.#text.length) this.#reset();
  };

  #reset(): void {
    const insert = this.#text.toJSON();
    if (this.#view.state.doc.toString() === insert) return;
    this.#view.dispatch({ changes: { from: 0, to: this.#view.state.doc.length, insert }, annotations: FromShared.of(true) });
  }
}
