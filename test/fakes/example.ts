import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('../../scripts/example.ts', import.meta.url));

/** An example as `npm run example` starts it. */
export class RunningExample {
  /** What it printed. */
  readonly link: string;
  readonly #child: ChildProcess;

  private constructor(link: string, child: ChildProcess) {
    this.link = link;
    this.#child = child;
  }

  static async start(name: string, ...flags: string[]): Promise<RunningExample> {
    const child = spawn(process.execPath, [SCRIPT, name, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const link = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout }).once('line', resolve);
      child.once('exit', (code) => reject(new Error(`the example ended with ${code}: ${said}`)));
    });
    return new RunningExample(link, child);
  }

  /** As Ctrl-C does; gives the exit code. */
  async end(): Promise<number | null> {
    if (this.#child.exitCode !== null) return this.#child.exitCode;
    const exit = once(this.#child, 'exit') as Promise<[number | null]>;
    this.#child.kill('SIGINT');
    return (await exit)[0];
  }
}
