import { RangeSetBuilder, Annotation, type Extension } from '@codemirror/state';
import { Decoration, ViewPlugin, WidgetType, type DecorationSet, type EditorView, type ViewUpdate } from '@codemirror/view';
import type { Awareness } from 'y-protocols/awareness.js';
import * as Y from 'yjs';
import { z } from 'zod';
import { colourOf, nameOf } from '../rooms/people.ts';

/** As JupyterLab says where somebody is: positions that move with the text. */
const Cursors = z.array(z.object({ anchor: z.unknown(), head: z.unknown() })).max(100);

/** Tells that others moved. */
const Moved = Annotation.define<boolean>();

/** Shows where others are in this text, and tells them where one is oneself while the editor has the focus. */
export function remoteCursors(text: Y.Text, awareness: Awareness): Extension {
  return ViewPlugin.define((view) => new Cursor(view, text, awareness), { decorations: (plugin) => plugin.decorations });
}

class Cursor {
  decorations: DecorationSet = Decoration.none;
  readonly #view: EditorView;
  readonly #text: Y.Text;
  readonly #awareness: Awareness;
  #said = '';

  constructor(view: EditorView, text: Y.Text, awareness: Awareness) {
    this.#view = view;
    this.#text = text;
    this.#awareness = awareness;
    awareness.on('change', this.#moved);
    this.decorations = this.#draw();
  }

  update(update: ViewUpdate): void {
    if (update.docChanged || update.transactions.some((each) => each.annotation(Moved))) this.decorations = this.#draw();
    if (update.docChanged || update.selectionSet || update.focusChanged) this.#say(update.view);
  }

  destroy(): void {
    this.#awareness.off('change', this.#moved);
    this.#unsay();
  }

  readonly #moved = ({ added, updated, removed }: Record<'added' | 'updated' | 'removed', number[]>): void => {
    const others = [added, updated, removed].flat().some((client) => client !== this.#awareness.clientID);
    if (others) this.#view.dispatch({ annotations: Moved.of(true) });
  };

  #say(view: EditorView): void {
    // Who looks elsewhere is still seen where they were.
    if (!view.hasFocus) return;
    const at = (index: number): unknown => Y.relativePositionToJSON(Y.createRelativePositionFromTypeIndex(this.#text, index));
    const { main } = view.state.selection;
    // While an update is on its way the text may be behind the editor, or ahead of it.
    if (Math.max(main.anchor, main.head) > this.#text.length) return;
    const cursors = [{ anchor: at(main.anchor), head: at(main.head), primary: true, empty: main.empty }];
    const said = JSON.stringify(cursors);
    if (said === this.#said) return;
    this.#said = said;
    this.#awareness.setLocalStateField('cursors', cursors);
  }

  #unsay(): void {
    const cursors: unknown = this.#awareness.getLocalState()?.['cursors'];
    // Another editor may have the focus by now.
    if (this.#said !== '' && JSON.stringify(cursors) === this.#said) this.#awareness.setLocalStateField('cursors', []);
    this.#said = '';
  }

  #draw(): DecorationSet {
    const marks: { readonly from: number; readonly to: number; readonly mark: Decoration }[] = [];
    const { length } = this.#view.state.doc;
    for (const [client, state] of this.#awareness.getStates()) {
      if (client === this.#awareness.clientID) continue;
      for (const cursor of Cursors.safeParse(state['cursors']).data ?? []) {
        const [anchor, head] = [this.#index(cursor.anchor), this.#index(cursor.head)];
        if (anchor === undefined || head === undefined || Math.max(anchor, head) > length) continue;
        const [from, to] = [Math.min(anchor, head), Math.max(anchor, head)];
        if (to > from) marks.push({ from, to, mark: Decoration.mark({ class: `cm-remote ${colourOf(client)}` }) });
        marks.push({ from: head, to: head, mark: Decoration.widget({ widget: new Caret(colourOf(client), nameOf(state)), side: 1 }) });
      }
    }
    const builder = new RangeSetBuilder<Decoration>();
    for (const { from, to, mark } of marks.toSorted((a, b) => a.from - b.from || a.mark.startSide - b.mark.startSide))
      builder.add(from, to, mark);
    return builder.finish();
  }

  /** What others say is checked: a position of another text, or none, is nowhere. */
  #index(position: unknown): number | undefined {
    try {
      const relative = Y.createRelativePositionFromJSON(position);
      const absolute = this.#text.doc && Y.createAbsolutePositionFromRelativePosition(relative, this.#text.doc);
      return absolute?.type === this.#text ? absolute.index : undefined;
    } catch {
      return undefined;
    }
  }
}

class Caret extends WidgetType {
  readonly #colour: string;
  readonly #name: string;

  constructor(colour: string, name: string) {
    super();
    this.#colour = colour;
    this.#name = name;
  }

  override eq(other: Caret): boolean {
    return other.#colour === this.#colour && other.#name === this.#name;
  }

  override toDOM(): HTMLElement {
    const caret = document.createElement('span');
    caret.className = `cm-remote-caret ${this.#colour}`;
    caret.ariaHidden = 'true';
    const label = document.createElement('span');
    label.className = 'cm-remote-name';
    label.textContent = this.#name;
    caret.append(label);
    return caret;
  }

  override ignoreEvent(): boolean {
    return true;
  }
}
