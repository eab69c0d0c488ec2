import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Worker } from '../../base/worker.ts';

interface Where {
  readonly prefix: string;
  /** Its site-packages. */
  readonly site: string;
  /** Where the prefix will be mounted. */
  readonly mountedAt: string;
}

/**
 * Kernel specs name the interpreter by its path: jupyter_client would put the server's own in place of a bare `python`, and in place of a
 * missing spec, too. The wheels of ipykernel before 5 have none.
 */
export async function writeKernelSpecs({ prefix, site, mountedAt }: Where, worker: Worker): Promise<void> {
  const folder = join(prefix, 'share', 'jupyter', 'kernels');
  const python = `${mountedAt}/bin/python`;
  const names = await readdir(folder).catch((): string[] => []);
  for (const name of names) {
    const file = join(folder, name, 'kernel.json');
    const text = await readFile(file, 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    const spec = JSON.parse(text) as { argv?: string[]; metadata?: Record<string, unknown> };
    if (!spec.argv?.[0] || !/^python[\d.]*$/.test(spec.argv[0])) continue;
    spec.argv[0] = python;
    await rm(file); // a hard link into the store: never written in place
    await write(file, spec, worker);
  }
  if (names.includes('python3')) return;
  const launcher = await stat(join(site, 'ipykernel_launcher.py')).catch(() => undefined);
  const argv = [python, '-m', launcher === undefined ? 'ipykernel' : 'ipykernel_launcher', '-f', '{connection_file}'];
  await mkdir(join(folder, 'python3'), { recursive: true, mode: 0o755 });
  await write(join(folder, 'python3', 'kernel.json'), { argv, display_name: 'Python 3', language: 'python' }, worker);
}

async function write(file: string, spec: object, worker: Worker): Promise<void> {
  await writeFile(file, `${JSON.stringify(spec, undefined, 1)}\n`, { mode: 0o644 });
  await worker.give(file);
}
