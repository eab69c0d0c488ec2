import { python } from '@codemirror/lang-python';
import { defineLanguageFacet, HighlightStyle, Language } from '@codemirror/language';
import type { Extension } from '@codemirror/state';
import { tags } from '@lezer/highlight';
import { GFM, parser } from '@lezer/markdown';

const markdown = new Language(defineLanguageFacet(), parser.configure(GFM), [], 'markdown');

/** How a text in this language is understood: as plain text where it is not known. */
export function languageOf(name: string): Extension {
  if (name === 'python') return python();
  return name === 'markdown' ? markdown : [];
}

/** In the pages' own colours, which know light and dark. */
export const highlighting = HighlightStyle.define([
  {
    tag: [tags.keyword, tags.operatorKeyword, tags.controlKeyword, tags.definitionKeyword, tags.moduleKeyword],
    color: 'var(--log-magenta)',
  },
  { tag: [tags.string, tags.special(tags.string), tags.monospace], color: 'var(--log-green)' },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], color: 'var(--log-blue)' },
  { tag: [tags.comment, tags.meta, tags.quote], color: 'var(--ink-soft)', fontStyle: 'italic' },
  { tag: [tags.function(tags.definition(tags.variableName)), tags.definition(tags.className), tags.className], color: 'var(--log-blue)' },
  { tag: [tags.self, tags.special(tags.variableName), tags.standard(tags.variableName)], color: 'var(--log-cyan)' },
  { tag: tags.heading, color: 'var(--cloth)', fontWeight: '700' },
  { tag: tags.strong, fontWeight: '700' },
  { tag: tags.emphasis, fontStyle: 'italic' },
  { tag: [tags.link, tags.url], color: 'var(--cloth)', textDecoration: 'underline' },
  { tag: tags.invalid, color: 'var(--bad)' },
]);
