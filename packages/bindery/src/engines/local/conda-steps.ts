import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../base/config.ts';
import type { RunResult } from '../../base/run.ts';
import type { Uv } from '../../clients/uv.ts';
import type { StageLog } from '../../contracts/engine.ts';
import type { Lock } from '../../contracts/plan.ts';
import { channelFolders, installConda, type CondaTool } from './conda.ts';
import type { Paths } from './sandbox.ts';

/** What the steps of a conda environment need of the build that they are part of. */
export interface CondaSteps {
  readonly tool: CondaTool;
  readonly lock: Lock;
  readonly uv: Uv;
  readonly config: Config;
  /** Where the steps find things. */
  readonly at: Paths;
  /** A folder of the build, here and inside. */
  readonly work: readonly [here: string, inside: string];
  readonly log: StageLog;
  /** Runs a command in the walls of the build, whatever its exit code. */
  readonly inside: (
    name: string,
    command: readonly string[],
    more: { env: Readonly<Record<string, string>>; read: readonly string[] },
  ) => Promise<RunResult>;
  /** Runs a command in the walls of the build, as a step that must succeed. */
  readonly step: (name: string, what: string, command: readonly string[]) => Promise<void>;
}

/** jupyter_client would put the server's own interpreter in place of a bare `python`. */
const KERNEL_SPECS = `
import glob, json, os, re, sys
for path in glob.glob(sys.argv[1] + "/share/jupyter/kernels/*/kernel.json"):
    with open(path) as file:
        spec = json.load(file)
    if re.fullmatch(r"python[\\d.]*", (spec.get("argv") or [""])[0]):
        spec["argv"][0] = sys.argv[1] + "/bin/python"
        os.remove(path)
        with open(path, "w") as file:
            json.dump(spec, file, indent=1)
`;

/**
 * Fills an empty environment with locked conda packages and, beside them, wheels of the Python index. Its Python is a
 * stranger's as much as anything else in it, so that all of this happens in the walls, with archives of this build alone.
 */
export async function runCondaSteps({ tool, lock, uv, config, at, work, log, inside, step }: CondaSteps): Promise<void> {
  const packages = lock.conda ?? [];
  log.info(`Installing ${packages.length} conda packages`);
  const places = { work, prefix: at.environment, mountedAt: at.environment };
  const read = [
    ...tool.readOnly,
    ...channelFolders(
      packages.map(({ url }) => url),
      config,
    ),
  ];
  await installConda(tool, packages, places, uv, (argv, env) => inside('conda', argv, { env, read }));
  const wheels = lock.packages.filter(({ from }) => from === 'wheel');
  const python = `${at.environment}/bin/python`;
  if (wheels.length > 0) {
    const lines = wheels.map(({ requirement, hashes }) => [requirement, ...hashes.map((hash) => `--hash=${hash}`)].join(' '));
    await writeFile(join(work[0], 'wheels.txt'), `${lines.join('\n')}\n`, { mode: 0o644 });
    const install = [at.uv, 'pip', 'install', '--python', python, '--link-mode', 'copy', '--no-deps'];
    const hashed = ['--require-hashes', '--only-binary', ':all:', '-r', `${work[1]}/wheels.txt`];
    // conda marks its Python as its own; here the environment is ours alone
    await step('wheels', `Installing ${wheels.length} packages of the Python index`, [...install, '--break-system-packages', ...hashed]);
  }
  await step('kernels', 'Naming the kernel', [python, '-I', '-S', '-B', '-c', KERNEL_SPECS, at.environment]);
}
