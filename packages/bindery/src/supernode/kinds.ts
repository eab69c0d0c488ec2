import * as Y from 'yjs';
import { keepLateEdits } from '@bindery/rtc/notebook/late-edits.ts';
import type { JsonObject } from '@bindery/rtc/json.ts';
import { literalsFor, mergeNotebook, mergeText } from '@bindery/rtc/notebook/merge.ts';
import { notebookFrom, parseNotebook, writeNotebook, type NotebookFile } from '@bindery/rtc/notebook/nbformat.ts';
import type { Exact } from '@bindery/rtc/notebook/literal.ts';
import { cellsOf, fillNotebook, metaOf, readNotebook } from '@bindery/rtc/notebook/shared-notebook.ts';

/** A part of a document, as it lies at its root. */
type Root = Y.Text | Y.Map<unknown> | Y.Array<unknown>;

/** How files of one kind become shared documents, and files again. */
export interface Kind {
  /** Of the Contents API. */
  readonly type: string;
  readonly format: string;
  /** The document's parts that a file holds: a change of another is none of the file. */
  roots(doc: Y.Doc): readonly Root[];
  /** A file's content as the Contents API has it. Throws `notebook_invalid` for one that no document can hold. */
  read(content: Exact): Content;
  /** Content that `Content.text` wrote. */
  parse(text: string): Content;
  /** Looks after a document for as long as it is in step with its file; returns what ends it. */
  tend(doc: Y.Doc): () => void;
}

/** What is in a file of some kind. */
export interface Content {
  /** The same for content that is the same. */
  readonly text: string;
  /** What every format of such a file holds, also one that holds no outputs and no ids: the same for contents that differ in those only. */
  readonly essence: string;
  /** Fills a document that is empty; to be called in a transaction. */
  fill(doc: Y.Doc): void;
  /**
   * Brings what changed in the file since `base` into the document; to be called in a transaction. Returns what the file says where both changed
   * the same place and the document can't hold both.
   */
  merge(doc: Y.Doc, base: Content | undefined): string | undefined;
  /** What the document says now, in numbers as the file wrote them. `whole` puts back into an output what lies beside the document. */
  of(doc: Y.Doc, whole: (output: JsonObject) => JsonObject): { readonly content: Content; readonly json: string };
}

class NotebookContent implements Content {
  readonly #file: NotebookFile;
  #text: string | undefined;

  constructor(file: NotebookFile) {
    this.#file = file;
  }

  get text(): string {
    return (this.#text ??= writeNotebook(this.#file.notebook, this.#file.literals));
  }

  get essence(): string {
    return JSON.stringify(this.#file.notebook.cells.map(({ type, source }) => [type, source.trim()]));
  }

  fill(doc: Y.Doc): void {
    fillNotebook(doc, this.#file.notebook);
  }

  merge(doc: Y.Doc, base: Content | undefined): undefined {
    mergeNotebook(doc, base instanceof NotebookContent ? base.#file.notebook : undefined, this.#file.notebook);
    // What both changed stands in the notebook twice.
    return undefined;
  }

  of(doc: Y.Doc, whole: (output: JsonObject) => JsonObject): { readonly content: Content; readonly json: string } {
    const shared = readNotebook(doc);
    const notebook = { ...shared, cells: shared.cells.map((cell) => ({ ...cell, outputs: cell.outputs.map(whole) })) };
    const literals = literalsFor(this.#file, notebook);
    return { content: new NotebookContent({ notebook, literals }), json: writeNotebook(notebook, literals, 'passing') };
  }
}

class TextContent implements Content {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  get essence(): string {
    return this.text.trimEnd();
  }

  fill(doc: Y.Doc): void {
    sourceOf(doc).insert(0, this.text);
  }

  merge(doc: Y.Doc, base: Content | undefined): string | undefined {
    const { conflicts } = mergeText(sourceOf(doc), base?.text, this.text);
    return conflicts.length > 0 ? this.text : undefined;
  }

  of(doc: Y.Doc): { readonly content: Content; readonly json: string } {
    const content = new TextContent(sourceOf(doc).toJSON());
    return { content, json: JSON.stringify(content.text) };
  }
}

function sourceOf(doc: Y.Doc): Y.Text {
  return doc.getText('source');
}

const NOTEBOOK: Kind = {
  type: 'notebook',
  format: 'json',
  roots: (doc) => [cellsOf(doc), metaOf(doc)],
  read: (content) => new NotebookContent(notebookFrom(content)),
  parse: (text) => new NotebookContent(parseNotebook(text)),
  tend: keepLateEdits,
};

const TEXT: Kind = {
  type: 'file',
  format: 'text',
  roots: (doc) => [sourceOf(doc)],
  read: (content) => new TextContent(typeof content === 'string' ? content : ''),
  parse: (text) => new TextContent(text),
  tend: () => () => undefined,
};

/** The kinds of files that can be shared, as JupyterLab names them: format, then type. */
export function kindOf(format: string, type: string): Kind | undefined {
  return [NOTEBOOK, TEXT].find((kind) => kind.format === format && kind.type === type);
}
