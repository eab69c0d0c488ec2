import type { OpenPath } from './link.ts';
import { badLink, encodePath, shown } from './link-text.ts';

/**
 * Which page to show first, after the launch parameters of mybinder-style URLs: `labpath` before `filepath` before `urlpath`.
 * Only paths below the session pass: an absolute address, `//host`, a backslash or `..` is refused.
 */
export function openFrom(params: URLSearchParams): OpenPath {
  const given = (name: string): string => params.get(name) ?? '';
  if (given('labpath')) return fileToOpen('lab', given('labpath'));
  if (given('filepath')) return fileToOpen('tree', given('filepath'));
  if (given('urlpath')) return urlToOpen(given('urlpath'));
  return { kind: 'default' };
}

/** The launch parameter that `openFrom` reads back, as name and value. */
export function openParameter(open: OpenPath): [name: string, value: string] | undefined {
  if (open.kind === 'default') return undefined;
  const names = { lab: 'labpath', tree: 'filepath', url: 'urlpath' } as const;
  return [names[open.kind], open.path];
}

/** Path below the session's base path, without a leading slash; empty for the server's own default page. */
export function openPath(open: OpenPath): string {
  if (open.kind === 'lab') return `doc/tree/${encodePath(open.path)}`;
  if (open.kind === 'tree') return `tree/${encodePath(open.path)}`;
  if (open.kind === 'url') return open.path.replace(/[^\w.~!$&'()*+,;=:@%/?#[\]-]/gu, encodeURIComponent);
  return '';
}

/** A file or folder of the repository, shown in JupyterLab with its file browser. */
export function labToOpen(path: string): OpenPath {
  const clean = insidePath(path);
  return clean === '' ? { kind: 'default' } : { kind: 'url', path: `lab/tree/${encodePath(clean)}` };
}

/** The file or folder of the repository that is opened, if it is one. */
export function openedFile(open: OpenPath): string | undefined {
  if (open.kind === 'lab' || open.kind === 'tree') return open.path;
  const match = open.kind === 'url' ? /^(?:lab|doc)\/tree\/([^?#]+)/.exec(open.path) : null;
  if (!match?.[1]) return undefined;
  try {
    return decodeURIComponent(match[1]);
  } catch {
    return undefined;
  }
}

/** The same page for another file or folder; the default page for none. */
export function openInstead(open: OpenPath, path: string): OpenPath {
  if (path === '') return { kind: 'default' };
  if (open.kind === 'lab' || open.kind === 'tree') return { kind: open.kind, path };
  const rest = open.kind === 'url' ? (/^((?:lab|doc)\/tree\/)[^?#]+(.*)$/s.exec(open.path) ?? []) : [];
  return { kind: 'url', path: `${rest[1] ?? 'lab/tree/'}${encodePath(path)}${rest[2] ?? ''}` };
}

/** A file or folder by `labpath` or `filepath`. */
export function fileToOpen(kind: 'lab' | 'tree', path: string): OpenPath {
  const clean = insidePath(path);
  return clean === '' ? { kind: 'default' } : { kind, path: clean };
}

/** A page by `urlpath`: used as it is but for one leading slash. */
export function urlToOpen(path: string): OpenPath {
  const clean = path.replace(/^\//, '');
  if (clean === '') return { kind: 'default' };
  const [page = ''] = clean.split(/[?#]/, 1);
  if (clean.startsWith('/') || /^[a-z][a-z0-9+.-]*:/i.test(clean)) throw outside(path);
  if (path.length > 2048 || !isInside(page)) throw outside(path);
  if (clean.startsWith(' ') || /[\p{Cc}\\]/u.test(clean) || !clean.isWellFormed()) throw outside(path);
  return { kind: 'url', path: clean };
}

function insidePath(path: string): string {
  const clean = path.replace(/^\/+|\/+$/g, '').replace(/^(?:\.\/)+/, '');
  if (path.length > 2048 || !clean.isWellFormed() || /\p{Cc}/u.test(clean)) throw outside(path);
  if (clean.split('/').some((part) => part === '..')) throw outside(path);
  return clean === '.' ? '' : clean;
}

/** No segment climbs, whether written plainly or percent-encoded: browsers resolve `%2e%2e` like `..`. */
function isInside(page: string): boolean {
  return page.split('/').every((part) => {
    const plain = part.replace(/%2e/gi, '.');
    return plain !== '..' && !/%(?:5c|0[0-9a-f]|1[0-9a-f]|7f)/i.test(part);
  });
}

function outside(path: string): Error {
  return badLink(
    `The page to open must be a path below the session, not "${shown(path)}".`,
    'Write it without scheme, host, backslash or "..": lab/tree/index.ipynb',
  );
}
