import type { JsonObject } from '@bindery/rtc/json.ts';

const BASE64 = /^[A-Za-z0-9+/\s]+={0,2}\s*$/;
const BITMAPS = ['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif', 'image/bmp'];

/** The image of a bundle of media types, for an `<img>`: as such, an SVG runs nothing and asks for nothing. */
export function imageSource(bundle: JsonObject): string | undefined {
  for (const type of BITMAPS) {
    const data = bundle[type];
    if (typeof data === 'string' && BASE64.test(data)) return `data:${type};base64,${data.replaceAll(/\s/g, '')}`;
  }
  const svg = bundle['image/svg+xml'];
  return typeof svg === 'string' ? `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg.toWellFormed())}` : undefined;
}
