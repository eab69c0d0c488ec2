/** A request's path taken apart before anything is decoded (rules P1–P5). */
export interface RequestPath {
  /** As it came, without the query. */
  readonly path: string;
  /** Everything after the first `?`, or undefined where there is none. */
  readonly query: string | undefined;
  /** Raw pieces between slashes, without the empty piece before the first. */
  readonly segments: readonly string[];
}

/** Takes a request target apart. Undefined where it must be answered 400: not a path, bad escapes, NUL, dot segments in any spelling. */
export function parsePath(target: string): RequestPath | undefined {
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  if (path.charCodeAt(0) !== 47) return undefined;
  const segments = path.slice(1).split('/');
  // Most paths hold nothing that has to be looked at.
  if (/[\\#%]|\/\./.test(path) && (/[\\#]|%(?![0-9a-f]{2})|%00/i.test(path) || segments.some(isDots))) return undefined;
  return { path, query: mark < 0 ? undefined : target.slice(mark + 1), segments };
}

function isDots(segment: string): boolean {
  return /^(?:\.|%2e){1,2}$/i.test(segment);
}

/** One raw piece decoded, or undefined where it hides a slash or is no UTF-8: such a piece is never part of a route. */
export function decodeSegment(segment: string): string | undefined {
  if (!segment.includes('%')) return segment;
  try {
    const text = decodeURIComponent(segment);
    return text.includes('/') ? undefined : text;
  } catch {
    return undefined;
  }
}

/** The query without every parameter of this name, however it is spelled; undefined when nothing is left. */
export function withoutParameter(query: string | undefined, name: string): string | undefined {
  if (query === undefined || (!query.includes(name) && !query.includes('%'))) return query;
  const kept = query.split('&').filter((pair) => nameOf(pair) !== name);
  return kept.length === 0 ? undefined : kept.join('&');
}

/** The first value of a query's parameter, decoded. */
export function parameter(query: string | undefined, name: string): string | undefined {
  return query === undefined || !query.includes('=') ? undefined : (new URLSearchParams(query).get(name) ?? undefined);
}

function nameOf(pair: string): string {
  const end = pair.indexOf('=');
  const raw = (end < 0 ? pair : pair.slice(0, end)).replaceAll('+', ' ');
  try {
    return decodeURIComponent(raw);
  } catch {
    return raw;
  }
}

/** `next` as an absolute path below `prefix`, or the prefix itself where `next` leads anywhere else (rule C5). */
export function inside(prefix: string, next: string): string {
  const base = `http://base.invalid${prefix}`;
  if (next.length > 8192 || /^\/|[\\\p{Cc}]/u.test(next)) return prefix;
  const url = URL.parse(next, base);
  if (url?.origin !== 'http://base.invalid' || !url.pathname.startsWith(prefix)) return prefix;
  return url.pathname + url.search + url.hash;
}
