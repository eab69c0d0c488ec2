import type { Command } from 'commander';
import { systemClock } from '../base/clock.ts';
import type { Config } from '../base/config.ts';
import { command, configOf, ownName, type Cli, type CommonOptions } from './common.ts';
import { EXIT } from './exit.ts';
import { interruptOf } from './interrupt.ts';
import type { Terminal } from './terminal.ts';

/** `bindery relay`: shared documents for other programs, in the foreground. */
export function relayCommand({ terminal, run }: Cli): Command {
  return command('relay', 'Run a server for shared documents in the foreground', [
    ['bindery relay', 'shared documents for programs that use packages/rtc'],
    ['bindery relay --port 0 --json', 'on any free port; prints one line of JSON when it listens'],
    ['bindery relay --set relay.allowOrigins=http://localhost:5173', 'for the pages of a site'],
  ])
    .option('--port <number>', 'port to listen on; the next free one is taken where it is in use, 0 means any')
    .addHelpText(
      'after',
      '\nWho has the key (relay.key in its folder) or a link of bindery share may enter. Ctrl-C ends it; what it acknowledged\nis on the disk, also after a crash. The documents of sessions are no business of it: bindery launch shares them by itself.',
    )
    .action(({ port, ...flags }: CommonOptions) =>
      run(flags, () => {
        const set = { ...flags.set, ...(port === undefined ? {} : { 'relay.port': port }) };
        return relay(terminal, configOf({ ...flags, set }, terminal).config, flags.json === true);
      }),
    );
}

async function relay(terminal: Terminal, config: Config, json: boolean): Promise<number> {
  const interrupt = interruptOf(process, () => systemClock.monotonic());
  interrupt.onForce(() => process.exit(EXIT.interrupted));
  const { relayPlaces } = await import('../relay/places.ts');
  const { serveRelay } = await import('../relay/relay-server.ts');
  const server = await serveRelay(config, systemClock);
  const { url, port, keyFile } = server;
  if (json) terminal.out(`${JSON.stringify({ url, pid: process.pid, keyFile })}\n`);
  else {
    const { paint } = terminal;
    terminal.out(`${url}\n`);
    terminal.err(`${paint('bold', 'Bindery')} relay at ${url}, documents in ${relayPlaces(config).folder}\n`);
    if (config.relay.port !== 0 && port !== config.relay.port) terminal.err(`  Port ${config.relay.port} is taken, so it is another.\n`);
    terminal.err(`  ${paint('dim', `A link to a document: ${ownName(terminal.env)} share <name>`)}\n  Press Ctrl-C to end it.\n`);
  }
  await interrupt.first;
  await server.close();
  return EXIT.ok;
}
