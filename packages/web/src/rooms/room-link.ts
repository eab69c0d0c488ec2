/** The address of a room, as `bindery share` prints it: after the `#`, which no server is ever told. */
export function roomLink(hash: string): string | undefined {
  const url = URL.parse(hash.replace(/^#/, ''));
  return url && (url.protocol === 'ws:' || url.protocol === 'wss:') ? url.href : undefined;
}
