import { Marked } from 'marked';
import type { JsonObject } from '@bindery/rtc/json.ts';
import { isObject } from '@bindery/rtc/json.ts';
import { imageSource } from './images.ts';
import { safeHtml } from './safe-html.ts';

/** Characters of a text that is understood as Markdown; a longer one is shown as it is. */
const LONGEST = 200_000;

/** Markdown as nodes that can do nothing, with the images that are attached to its cell. */
export function markdownNodes(text: string, attachments: JsonObject = {}): DocumentFragment {
  if (text.length > LONGEST) return plain(text);
  try {
    const marked = new Marked({
      gfm: true,
      async: false,
      walkTokens: (token) => {
        if (token.type === 'image') token.href = attached(String(token.href), attachments);
      },
    });
    return safeHtml(marked.parse(text) as string);
  } catch {
    // Nested deeper than the reader can go.
    return plain(text);
  }
}

function attached(href: string, attachments: JsonObject): string {
  if (!href.startsWith('attachment:')) return href;
  const name = decoded(href.slice('attachment:'.length));
  const bundle = Object.hasOwn(attachments, name) ? attachments[name] : undefined;
  return (isObject(bundle) ? imageSource(bundle) : undefined) ?? href;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function plain(text: string): DocumentFragment {
  const fragment = document.createDocumentFragment();
  const pre = document.createElement('pre');
  pre.textContent = text;
  fragment.append(pre);
  return fragment;
}
