import { userInfo } from 'node:os';
import { dirname } from 'node:path';
import type { Uv } from '../../clients/uv.ts';
import type { Place } from './place.ts';
import { sandboxArgv, type Sandbox } from './sandbox.ts';

/** How the helpers outside (runtime/enclose.py, supervise.py) start a program. */
export interface Start {
  readonly argv: readonly string[];
  /** Undefined where the sandbox sets it. */
  readonly env: Readonly<Record<string, string>> | undefined;
  readonly cwd: string | undefined;
  /** File with the system call filter. */
  readonly seccomp: string | undefined;
  /** True where no sandbox ends the program's children together with it. */
  readonly loose: boolean;
}

/** A box as this machine starts it: in a sandbox, or where none works as the hub's own user, with nothing around it. */
export function started(place: Place, box: Sandbox): Start {
  if (place.isolated)
    return { argv: sandboxArgv(box), env: undefined, cwd: undefined, seccomp: box.seccomp ? place.seccomp : undefined, loose: false };
  return { argv: box.command, env: box.env === 'inherit' ? {} : box.env, cwd: box.cwd, seccomp: undefined, loose: true };
}

/** What a program without a sandbox has of the environment variables of whoever started the hub: name, programs, the way to the network. */
export function ownVariables({ variables }: Place, { index, path }: Uv, prefixes: readonly string[] = []): Record<string, string> {
  const { username } = userInfo();
  const locale = process.platform === 'darwin' ? 'en_US.UTF-8' : 'C.UTF-8';
  const programs = (variables['PATH'] ?? '/usr/local/bin:/usr/bin:/bin').split(':').filter((folder) => !folder.includes('/node_modules/'));
  // curl and others read proxies in small letters only
  const small = Object.entries(index.environment).flatMap(([name, value]) =>
    name.endsWith('_PROXY') ? [[name.toLowerCase(), value]] : [],
  );
  return {
    USER: username,
    LOGNAME: username,
    NB_USER: username,
    LANG: locale,
    LC_ALL: locale,
    BASH_SILENCE_DEPRECATION_WARNING: '1', // of macOS
    PATH: [...prefixes.map((prefix) => `${prefix}/bin`), ...programs, dirname(path)].join(':'),
    ...index.environment,
    ...Object.fromEntries(small),
  };
}

/** The configured index as pip and uv read it; with credentials, so for builds alone. */
export function ownIndex({ index }: Uv): Record<string, string> {
  const extra = index.extra.join(' ');
  return {
    UV_DEFAULT_INDEX: index.url,
    PIP_INDEX_URL: index.url,
    ...(extra === '' ? {} : { UV_INDEX: extra, PIP_EXTRA_INDEX_URL: extra }),
  };
}
