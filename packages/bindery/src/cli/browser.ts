import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { start } from '../base/run.ts';
import type { Terminal } from './terminal.ts';

type Argv = [string, ...string[]];

/** How a browser is opened here; undefined where nobody would see it: over SSH, without a screen, in a script. */
export function browserCommand(terminal: Terminal, platform: NodeJS.Platform = process.platform): Argv | undefined {
  const { env } = terminal;
  if (!terminal.interactive || env['SSH_CONNECTION'] || env['SSH_TTY'] || env['CI']) return undefined;
  const named = env['BROWSER'];
  if (named && !/[\s%:]/.test(named)) return [named];
  if (platform === 'darwin') return ['open'];
  if (platform === 'win32') return ['explorer.exe'];
  if (!env['DISPLAY'] && !env['WAYLAND_DISPLAY'] && !env['WSL_DISTRO_NAME']) return undefined;
  const found = ['wslview', 'xdg-open'].find((name) => isOnPath(name, env['PATH'] ?? ''));
  return found === undefined ? undefined : [found];
}

/** Opens an address; a browser that does not start is no failure, since the address is printed as well. */
export function openBrowser(command: Argv, url: string, env: Terminal['env']): void {
  const known = Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  const child = start([...command, url], { env: Object.fromEntries(known), stdio: 'ignore', outlive: true });
  child.on('error', () => {});
}

function isOnPath(name: string, path: string): boolean {
  return path.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
