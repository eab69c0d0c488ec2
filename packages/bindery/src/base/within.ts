/** True for the shared file or folder itself, and for what is in it; `shared` is empty where everything is. Nothing leads out of it. */
export function isWithin(shared: string, path: string): boolean {
  if (path.split('/').includes('..')) return false;
  const clean = withoutSlashes(path);
  return shared === '' || clean === shared || clean.startsWith(`${shared}/`);
}

/** A path as the Contents API names files: without slashes at its ends. */
export function withoutSlashes(path: string): string {
  return path.replaceAll(/^\/+|\/+$/g, '');
}

/** What was percent-encoded; undefined where it is malformed. */
export function percentDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
