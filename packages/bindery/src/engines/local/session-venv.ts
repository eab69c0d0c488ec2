import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { Uv } from '../../clients/uv.ts';
import { sitePackages } from './prefix.ts';

export interface VenvOrder {
  /** Where it is made. */
  readonly folder: string;
  /** The environment that sessions share. */
  readonly environment: string;
  /** The repository's files as the build left them, where it ran something. */
  readonly leftovers: string | undefined;
  /** The session's own copy of them. */
  readonly home: string;
  readonly signal: AbortSignal;
}

/** Scripts are small. Bytes. */
const LARGEST_SCRIPT = 65_536;

/**
 * A virtual environment of one session over the one that sessions share, for where no overlay is to be had: Python in it finds
 * everything of the shared one, and what pip installs, upgrades or adds as a command lies in the session's folder and comes first.
 */
export async function makeVenv(uv: Uv, order: VenvOrder): Promise<void> {
  const { folder, environment } = order;
  const python = join(environment, 'bin', 'python');
  const made = await uv.run(['venv', '--quiet', '--no-project', '--python', python, folder], {
    reach: { read: [environment], write: [folder] },
    timeoutMs: 60_000,
    signal: order.signal,
  });
  if (made.code !== 0)
    throw new BinderyError('start_failed', "The session's own environment could not be made.", { logTail: made.stderr.slice(-2000) });
  const site = await sitePackages(folder);
  const shared = await sitePackages(environment);
  // by addsitedir, so that the .pth files there count too
  await writeFile(join(site, '_environment.pth'), `import site; site.addsitedir(${JSON.stringify(shared)})\n`);
  await Promise.all([copyScripts(order), copyKernelSpecs(order), pointToHome(order, shared, site)]);
}

/** Commands of the environment name its Python in their first lines: copies name the session's, which sees what it installs. */
async function copyScripts({ folder, environment }: VenvOrder): Promise<void> {
  const taken = new Set(await readdir(join(folder, 'bin')));
  const interpreter = `${environment}/bin/python`;
  for (const entry of await readdir(join(environment, 'bin'), { withFileTypes: true })) {
    if (!entry.isFile() || taken.has(entry.name)) continue;
    const text = await readFile(join(environment, 'bin', entry.name), 'utf8');
    const head = text.slice(0, 1024);
    if (text.length > LARGEST_SCRIPT || !head.startsWith('#!') || !head.includes(interpreter)) continue;
    await writeFile(join(folder, 'bin', entry.name), text.replace(interpreter, `${folder}/bin/python`), { mode: 0o755 });
  }
}

/** A kernel that runs in the environment runs in the session's own one. */
async function copyKernelSpecs({ folder, environment }: VenvOrder): Promise<void> {
  const below = join('share', 'jupyter', 'kernels');
  for (const name of await readdir(join(environment, below)).catch(() => [])) {
    const [from, to] = [join(environment, below, name), join(folder, below, name)];
    const text = await readFile(join(from, 'kernel.json'), 'utf8').catch(() => '{}');
    const spec = JSON.parse(text) as { argv?: string[] };
    if (spec.argv?.[0] !== `${environment}/bin/python`) continue;
    spec.argv[0] = `${folder}/bin/python`;
    await mkdir(to, { recursive: true });
    for (const entry of await readdir(from, { withFileTypes: true }))
      if (entry.isFile() && entry.name !== 'kernel.json') await copyFile(join(from, entry.name), join(to, entry.name));
    await writeFile(join(to, 'kernel.json'), JSON.stringify(spec));
  }
}

/** Packages of the repository that were installed editable lead to the files as built: here to those that the session edits. */
async function pointToHome({ leftovers, home }: VenvOrder, shared: string, site: string): Promise<void> {
  if (leftovers === undefined) return;
  for (const name of await readdir(shared)) {
    if (!/\.(?:pth|egg-link)$|^__editable__.*\.py$/.test(name)) continue;
    const text = await readFile(join(shared, name), 'utf8');
    if (text.includes(leftovers)) await writeFile(join(site, name), text.replaceAll(leftovers, home));
  }
}
