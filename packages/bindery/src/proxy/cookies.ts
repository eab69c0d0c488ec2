/** Cookies whose names begin so belong to the hub and the proxy: sessions neither see nor set them (rules R2, S2). */
const OURS = /^(?:__host-|__secure-)?bindery/i;

/** Every value of a cookie, in the order sent: another path or host may have added a second one (rule B2). */
export function readCookies(header: string, name: string): string[] {
  const values: string[] = [];
  const start = `${name}=`;
  for (let at = header.indexOf(start); at >= 0; at = header.indexOf(start, at + 1)) {
    const before = header.slice(0, at).trimEnd();
    if (before !== '' && !before.endsWith(';')) continue;
    const end = header.indexOf(';', at);
    values.push(header.slice(at + start.length, end < 0 ? undefined : end).trim());
  }
  return values;
}

/** The `Cookie` header as a session may see it; undefined when nothing is left. */
export function foreignCookies(header: string): string | undefined {
  if (!/bindery/i.test(header)) return header;
  const kept = header.split(';').filter((part) => !OURS.test(part.trim()));
  return kept.length === 0 ? undefined : kept.join(';').trim();
}

/** A session's `Set-Cookie` bound to its host and path; undefined where it would set a cookie of ours. */
export function boundCookie(header: string, prefix: string): string | undefined {
  const [pair = '', ...attributes] = header.split(';');
  if (OURS.test(pair.trim())) return undefined;
  const kept = [pair];
  for (const attribute of attributes) {
    const [name = '', value = ''] = attribute.split('=', 2).map((part) => part.trim());
    if (/^domain$/i.test(name)) continue;
    kept.push(/^path$/i.test(name) && !value.startsWith(prefix) ? ` Path=${prefix}` : attribute);
  }
  return kept.join(';');
}
