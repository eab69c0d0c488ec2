import type { Assembly } from '../hub/assemble.ts';
import type { Config } from '../base/config.ts';
import { interruptOf } from './interrupt.ts';
import { systemClock } from '../base/clock.ts';
import type { Terminal } from './terminal.ts';

/** Does a piece of a hub's work in this process, where no hub runs: parts are put together for it and taken apart again. */
export async function inProcess<T>(
  config: Config,
  terminal: Terminal,
  work: (assembly: Assembly, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { assemble } = await import('../hub/assemble.ts');
  const interrupt = interruptOf(process, () => systemClock.monotonic());
  interrupt.onForce(() => process.exit());
  const assembly = await assemble(config, (message) => terminal.err(`${message}\n`));
  try {
    return await work(assembly, interrupt.signal);
  } finally {
    await assembly.shared.engine.close();
    interrupt.close();
  }
}
