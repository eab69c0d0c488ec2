/**
 * Git paths are bytes, ours are strings. Bytes that are no UTF-8 become lone surrogates U+DC80…U+DCFF (after PEP 383),
 * so that every path keeps its own name and can be turned back.
 */
export function pathFromBytes(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  if (!text.includes('\ufffd') || Buffer.from(text, 'utf8').equals(bytes)) return text;
  let path = '';
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes, at);
    path += length === 0 ? String.fromCharCode(0xdc00 + (bytes[at] ?? 0)) : bytes.toString('utf8', at, at + length);
    at += length || 1;
  }
  return path;
}

/** The bytes of a path that came from `pathFromBytes`, or of any well-formed text. */
export function bytesFromPath(path: string): Buffer {
  if (path.isWellFormed()) return Buffer.from(path, 'utf8');
  const parts = Array.from(path, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return code >= 0xdc80 && code <= 0xdcff ? Buffer.of(code - 0xdc00) : Buffer.from(character, 'utf8');
  });
  return Buffer.concat(parts);
}

/** Bytes of the valid UTF-8 sequence at `at`, 0 if there is none. */
function sequenceLength(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0;
  const length = first < 0x80 ? 1 : first >> 5 === 6 ? 2 : first >> 4 === 14 ? 3 : first >> 3 === 30 ? 4 : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  return bytes.toString('utf8', at, at + length).includes('\ufffd') && !isReplacement(bytes, at, length) ? 0 : length;
}

function isReplacement(bytes: Buffer, at: number, length: number): boolean {
  return length === 3 && bytes[at] === 0xef && bytes[at + 1] === 0xbf && bytes[at + 2] === 0xbd;
}
