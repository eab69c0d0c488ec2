/**
 * Colours given as red, green and blue become the nearest of the terminal's palette: those are style rules, while others would be
 * style attributes, which the page's policy blocks.
 */
export function paletteColours(line: string): string {
  const direct = /([34]8)[;:]2[;:]{1,2}(\d{1,3})[;:](\d{1,3})[;:](\d{1,3})(?=[;:\d]*m)/g;
  return line.replaceAll(direct, (_, kind: string, ...rgb: string[]) => {
    const [red = 0, green = 0, blue = 0] = rgb.slice(0, 3).map((part) => Math.round(Math.min(255, Number(part)) / 51));
    return `${kind};5;${16 + 36 * red + 6 * green + blue}`;
  });
}
