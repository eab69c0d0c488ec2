/** A piece of a text with the classes of its colours. */
export interface AnsiPiece {
  readonly text: string;
  readonly classes: string;
}

const NAMES = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];
/** Colour and style (`m`) are understood; all else that a terminal would obey is left out. */
const SEQUENCE =
  // oxlint-disable-next-line no-control-regex -- it is about control characters
  /\u001b\[([\d;:]*)m|\u001b(?:\[[\d;?:<=>!]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\-_])|[\u0000-\u0008\u000b-\u001f\u007f]/g;

/** A terminal's text in pieces, colours as class names. */
export function ansiPieces(text: string): readonly AnsiPiece[] {
  const pieces: AnsiPiece[] = [];
  const style = { colour: '', isBold: false, isItalic: false, isUnderlined: false };
  let from = 0;
  const push = (to: number): void => {
    if (to <= from) return;
    const { colour, isBold, isItalic, isUnderlined } = style;
    const names = [colour, isBold && 'bold', isItalic && 'italic', isUnderlined && 'underline'].filter(Boolean);
    pieces.push({ text: text.slice(from, to), classes: names.map((name) => `ansi-${String(name)}`).join(' ') });
  };
  for (const match of text.matchAll(SEQUENCE)) {
    push(match.index);
    from = match.index + match[0].length;
    if (match[1] !== undefined) apply(style, match[1].split(/[;:]/).map(Number));
  }
  push(text.length);
  return pieces;
}

function apply(style: { colour: string; isBold: boolean; isItalic: boolean; isUnderlined: boolean }, codes: readonly number[]): void {
  for (let index = 0; index < codes.length; index++) {
    const code = codes[index] ?? 0;
    if (code === 0) Object.assign(style, { colour: '', isBold: false, isItalic: false, isUnderlined: false });
    else if (code === 1) style.isBold = true;
    else if (code === 3) style.isItalic = true;
    else if (code === 4) style.isUnderlined = true;
    else if (code === 22) style.isBold = false;
    else if (code === 23) style.isItalic = false;
    else if (code === 24) style.isUnderlined = false;
    else if (code === 39) style.colour = '';
    else if (code === 38 || code === 48) {
      // The first sixteen of 256 are those that there are; of others the text keeps its colour.
      const [kind, value = 0] = [codes[index + 1], codes[index + 2]];
      if (code === 38 && kind === 5 && value < 16) style.colour = NAMES[value % 8] ?? '';
      index += kind === 2 ? 4 : 2;
    } else if ((code >= 30 && code < 38) || (code >= 90 && code < 98)) style.colour = NAMES[code % 10] ?? '';
  }
}
