import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type { NotesRoom } from './notes-room.ts';
import type * as Y from 'yjs';

/** The clients as their makers published them, with the sum of what npm serves. */
const PUBLISHED = {
  '1.5.4': 'Y3021uy0anOIHqAPyAZbNDoR05JuMEGjRNI8c+K9MHzVS8dWoImdJUjccljAznc8H2L7WkIXhRHZ1igWNRSgPw==',
  '2.1.0': 'WHYDRqomaGkkaujtowCDwL8KYk+t1zQCGIgKyvxvchhjTQlMgWXRHJK+FDEcWmHA7I7o/4fy0eniOrtmz0e4mA==',
  '3.1.0': 'ZNzwH84Ysxv7zjpFNZHjTJvrBZgcAqMljTe+6zrWciAML9LQ18aVylyPNH9faxCXqEOV8I0JY4TGtrIHFX+Xwg==',
};
export type YWebsocketVersion = keyof typeof PUBLISHED;
export const Y_WEBSOCKET_VERSIONS = Object.keys(PUBLISHED) as YWebsocketVersion[];

/** What all versions of the client have in common, as far as it is used here. */
export interface Provider {
  readonly synced: boolean;
  readonly awareness: NotesRoom['awareness'];
  on(name: string, heard: (...args: unknown[]) => void): void;
  destroy(): void;
}
export type ProviderClass = new (url: string, room: string, doc: Y.Doc, options: Record<string, unknown>) => Provider;

/** One of them, unmodified, in a folder of the test's where it finds the Yjs that is tested. */
export async function publishedYWebsocket(version: YWebsocketVersion, folder: string): Promise<ProviderClass> {
  const modules = join(folder, 'node_modules');
  if (!existsSync(modules)) await symlink(join(import.meta.dirname, '../../node_modules'), modules);
  const run = promisify(execFile);
  await run('npm', ['pack', '--silent', `y-websocket@${version}`], { cwd: folder });
  const file = join(folder, `y-websocket-${version}.tgz`);
  const sum = createHash('sha512').update(await readFile(file));
  assert.equal(sum.digest('base64'), PUBLISHED[version]);
  await mkdir(join(folder, version));
  await run('tar', ['xzf', file, '-C', join(folder, version)]);
  const module = (await import(pathToFileURL(join(folder, version, 'package/src/y-websocket.js')).href)) as {
    WebsocketProvider: ProviderClass;
  };
  return module.WebsocketProvider;
}
