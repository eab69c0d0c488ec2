/**
 * Runs `work` such that `<style>` elements which it makes become adopted style sheets: the page's policy (`style-src 'self'`)
 * blocks the elements, while sheets that the page's own script adopts are allowed. xterm.js makes all of its styles while it opens.
 */
export function adoptingStyles(document: Document, work: () => void): void {
  const create = document.createElement.bind(document);
  const own = (tag: string, options?: ElementCreationOptions): HTMLElement =>
    tag.toLowerCase() === 'style' ? adoptedStyle(document, create('template')) : create(tag, options);
  Object.defineProperty(document, 'createElement', { value: own, configurable: true });
  try {
    work();
  } finally {
    Reflect.deleteProperty(document, 'createElement');
  }
}

/** Makes an inert element stand where the style would: setting its text sets the sheet, removing it removes the sheet. */
function adoptedStyle(document: Document, element: HTMLElement): HTMLElement {
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  const setText = (text: string): void => {
    sheet.replaceSync(text);
  };
  const remove = (): void => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => one !== sheet);
    Element.prototype.remove.call(element);
  };
  return Object.defineProperties(element, { textContent: { get: () => '', set: setText }, remove: { value: remove } });
}
