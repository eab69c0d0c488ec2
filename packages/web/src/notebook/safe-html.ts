import createPurify, { type Config } from 'dompurify';

/**
 * What of strangers' HTML is shown: text, tables, lists, links and images. No script runs, nothing can send a form, look like a part of the page
 * (no styles, classes, ids), or make the browser ask another site for anything.
 */
const ALLOWED: Config = {
  USE_PROFILES: { html: true },
  FORBID_TAGS: [
    'style',
    'form',
    'input',
    'button',
    'select',
    'textarea',
    'option',
    'dialog',
    'audio',
    'video',
    'source',
    'picture',
    'track',
    'map',
    'area',
  ],
  FORBID_ATTR: [
    'style',
    'class',
    'id',
    'name',
    'srcset',
    'background',
    'bgcolor',
    'color',
    'border',
    'usemap',
    'popover',
    'autofocus',
    'tabindex',
    'accesskey',
    'slot',
    'role',
  ],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

const purify = createPurify(window);

purify.addHook('afterSanitizeAttributes', (element) => {
  if (element.tagName === 'A') {
    element.setAttribute('target', '_blank');
    element.setAttribute('rel', 'noopener noreferrer');
  }
  if (element.tagName === 'IMG') ownImage(element);
  // The corner of a data frame: a heading that says nothing is none.
  if (element.tagName === 'TH' && element.textContent.trim() === '') element.setAttribute('role', 'presentation');
});

/** The HTML as nodes that can do nothing. */
export function safeHtml(html: string): DocumentFragment {
  return purify.sanitize(html, { ...ALLOWED, RETURN_DOM_FRAGMENT: true });
}

/** An image of another site is not asked for, as that would tell it who reads; its address is shown instead. */
function ownImage(element: Element): void {
  const src = element.getAttribute('src') ?? '';
  const url = URL.parse(src, location.href);
  if (url?.protocol === 'data:' || (url && url.origin === location.origin)) return;
  element.removeAttribute('src');
  const alt = element.getAttribute('alt') ?? '';
  element.replaceWith(document.createTextNode(src === '' ? alt : `[${alt === '' ? 'image' : alt}: ${src}]`));
}
