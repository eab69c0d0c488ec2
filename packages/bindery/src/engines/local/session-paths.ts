import { existsSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { SessionOrder } from '../../contracts/engine.ts';
import type { Uv } from '../../clients/uv.ts';
import { RUNTIME, type Place } from './place.ts';
import { pathsFor, type Paths } from './sandbox.ts';
import type { ServerRuntime } from './server-runtime.ts';

/** What postBuild and the like left of the repository's files, where it ran. */
export function leftoversOf({ environment }: SessionOrder): string | undefined {
  const path = join(environment.location, 'leftovers');
  return existsSync(path) ? path : undefined;
}

/** Where the programs of a session find things. */
export async function sessionPaths(
  order: SessionOrder,
  home: string,
  { place, runtime, uv }: { readonly place: Place; readonly runtime: ServerRuntime; readonly uv: Uv },
): Promise<Paths> {
  const leftovers = leftoversOf(order);
  return pathsFor(place.isolated, {
    environment: await realpath(join(order.environment.location, 'prefix')),
    server: runtime.prefix,
    runtime: RUNTIME,
    home,
    tree: order.tree.folder,
    tools: dirname(uv.path),
    ...(leftovers === undefined ? {} : { leftovers: await realpath(leftovers) }),
  });
}

/** What a session's folder holds at first, as copies from and to folders that its programs see: the repository, or what postBuild left of it. */
export function contentCopies(order: SessionOrder, at: Paths): [from: string, to: string][] {
  if (leftoversOf(order) === undefined) return [[at.tree, at.home]];
  return [
    [`${at.tree}/.git`, `${at.home}/.git`],
    [at.leftovers, at.home],
  ];
}
