import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** A helper process that has said on stdout, in one line of JSON, how to reach it. */
export interface Helper<T> {
  readonly pid: number;
  readonly said: T;
  readonly stop: () => Promise<void>;
}

/** Starts a helper. Without `ready` it is asked by other means whether it is there. */
export async function helper<T = undefined>(
  argv: string[],
  env: NodeJS.ProcessEnv,
  ready: ((output: string) => T | undefined) | undefined,
): Promise<Helper<T>> {
  const child = spawn(process.execPath, argv, { env, stdio: ['ignore', ready ? 'pipe' : 'ignore', ready ? 'pipe' : 'inherit'] });
  const said = ready ? await saying(child, ready) : (undefined as T);
  return {
    pid: child.pid ?? 0,
    said,
    stop: () =>
      new Promise((resolve) => {
        child.on('exit', () => resolve());
        child.kill('SIGKILL');
      }),
  };
}

function saying<T>(child: ChildProcess, ready: (output: string) => T | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    let output = '';
    const hear = (chunk: Buffer): void => {
      output += chunk.toString();
      const said = ready(output);
      if (said !== undefined) resolve(said);
    };
    child.stdout?.on('data', hear);
    child.stderr?.on('data', hear);
    child.on('exit', (code) => reject(new Error(`A helper ended with ${code}: ${output.slice(-2000)}`)));
  });
}

/** CPU time of all threads of a process, in microseconds (Linux: time run, from the scheduler). */
export function cpuOf(pid: number): number {
  let sum = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`))
    sum += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]) / 1000;
  return sum;
}

/** Resident memory of a process, in bytes. */
export function memoryOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}
