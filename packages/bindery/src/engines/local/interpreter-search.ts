import { readdir, realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';

const NAME = /^python3(?:\.\d+)?$/;

/**
 * Real paths of what may be Python interpreters: on PATH, in the usual places, those that pyenv, uv, mise and asdf
 * installed, and those in `managed`. A pyenv shim is no interpreter: its versions are looked at instead.
 */
export async function executables(variables: Readonly<Record<string, string | undefined>>, managed: string): Promise<readonly string[]> {
  const home = variables['HOME'] ?? homedir();
  const parents = [
    join(variables['PYENV_ROOT'] ?? join(home, '.pyenv'), 'versions'),
    join(variables['XDG_DATA_HOME'] ?? join(home, '.local/share'), 'uv/python'),
    join(variables['XDG_DATA_HOME'] ?? join(home, '.local/share'), 'mise/installs/python'),
    join(home, '.asdf/installs/python'),
    '/opt',
    '/opt/python',
    '/Library/Frameworks/Python.framework/Versions',
    managed,
  ];
  const folders = [
    ...(variables['PATH'] ?? '').split(delimiter).filter((folder) => folder.startsWith('/') && !folder.endsWith('/shims')),
    '/usr/bin',
    '/usr/local/bin',
    '/opt/homebrew/bin',
    ...(await Promise.all(parents.map(binFolders))).flat(),
  ];
  const found = new Set<string>();
  for (const folder of new Set(folders))
    for (const name of await names(folder)) {
      if (!NAME.test(name)) continue;
      const path = await realpath(join(folder, name)).catch(() => undefined);
      if (path && prefixOf(path) !== home) found.add(path);
    }
  return [...found];
}

/** The folder that an executable's installation lies in, by its place: `/usr` for `/usr/bin/python3`. */
export function prefixOf(path: string): string {
  return join(path, '../..');
}

async function binFolders(parent: string): Promise<string[]> {
  return (await names(parent)).filter((name) => !name.startsWith('.')).map((name) => join(parent, name, 'bin'));
}

async function names(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}
