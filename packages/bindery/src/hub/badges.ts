/** Widths of the badge's two halves, in pixels, at 11 px Verdana-like text. */
const LEFT = 52;
const RIGHT = 58;

/** The mark: a folded sheet bound at its left edge, drawn in a box of 16 by 16. */
const MARK = 'M3 1h7l3 3v11H3z M6 1v14 M10 1v3h3 M8 8h3 M8 11h3';

function badge(label: string, withMark: boolean): string {
  const left = LEFT + (withMark ? 18 : 0);
  const width = left + RIGHT;
  const mark = withMark
    ? `<g transform="translate(5 2)" fill="none" stroke="#fff" stroke-width="1.4" stroke-linejoin="round"><path d="${MARK}"/></g>`
    : '';
  const text = (x: number, words: string, length: number): string =>
    `<text x="${x}" y="14" textLength="${length}" lengthAdjust="spacingAndGlyphs">${words}</text>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="20" role="img" aria-label="${label} bindery">
<title>${label} bindery</title>
<clipPath id="r"><rect width="${width}" height="20" rx="4"/></clipPath>
<g clip-path="url(#r)"><rect width="${left}" height="20" fill="#3f4650"/><rect x="${left}" width="${RIGHT}" height="20" fill="#0d6e6e"/></g>
${mark}
<g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11">${text(withMark ? 24 : 8, label, 40)}${text(left + 7, 'bindery', 44)}</g>
</svg>
`;
}

/** The badge images of the old contract's addresses, in a design of our own. */
export const BADGES: Readonly<Record<string, string>> = {
  '/badge.svg': badge('launch', false),
  '/badge_logo.svg': badge('launch', true),
  '/assets/images/badge.svg': badge('launch', false),
};
