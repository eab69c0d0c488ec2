/**
 * A document for xterm.js, whose renderer writes `<style>` elements, which the page's policy (`style-src 'self'`) blocks.
 * Here their text goes into adopted style sheets instead, which a script of the page itself may use. All else is the real document.
 */
export function adoptingDocument(real: Document): Document {
  return new Proxy(real, {
    get(target, name) {
      if (name === 'createElement') {
        return (tag: string, options?: ElementCreationOptions) =>
          tag === 'style' ? adoptedStyle(target) : target.createElement(tag, options);
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
    },
    set: (target, name, value) => Reflect.set(target, name, value, target),
  });
}

/** An inert element that stands where the style would; setting its text sets the sheet, removing it removes the sheet. */
function adoptedStyle(document: Document): HTMLElement {
  const sheet = new CSSStyleSheet();
  const element = document.createElement('template');
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  const setText = (text: string): void => {
    sheet.replaceSync(text);
  };
  return Object.defineProperties(element, {
    textContent: { get: () => '', set: setText },
    remove: {
      value: () => {
        document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => one !== sheet);
        Element.prototype.remove.call(element);
      },
    },
  });
}
