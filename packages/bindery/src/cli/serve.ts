import { Option, type Command } from 'commander';
import type { LoadedConfig } from '../base/config-load.ts';
import { systemClock } from '../base/clock.ts';
import { command, configOf, ownName, type Cli, type CommonOptions } from './common.ts';
import { asBinderyError, EXIT } from './exit.ts';
import { bundledExamples } from './examples.ts';
import { newsTo, type HubNews } from './hub-news.ts';
import { interruptOf } from './interrupt.ts';
import type { Terminal } from './terminal.ts';

interface ServeFlags extends CommonOptions {
  /** Set by `bindery launch`: a descriptor that hears what there is to tell while the hub starts (hub-news.ts). */
  readonly readyFd?: string;
}

/** `bindery serve`: the hub in the foreground. */
export function serveCommand({ terminal, run }: Cli): Command {
  return command('serve', 'Run the hub in the foreground', [
    ['bindery serve', 'prints a one-time link to the launch page'],
    ['bindery serve --port 0 --json', 'on any free port; prints one line of JSON when it listens'],
    ['bindery serve --set session.idle=7200', 'with another setting'],
  ])
    .option('--port <number>', 'port to listen on; the next free one is taken where it is in use, 0 means any')
    .addHelpText(
      'after',
      '\nCtrl-C ends the hub with its sessions. SIGTERM ends the hub alone: the next one on the same state folder\ntakes its sessions over.',
    )
    .addOption(new Option('--ready-fd <number>').hideHelp())
    .action((flags: ServeFlags) =>
      run(flags, async () => {
        const news = newsTo(flags.readyFd);
        try {
          return await serve(terminal, configOf(flags, terminal), flags, news);
        } catch (error) {
          const { code, message, hint, retryable } = asBinderyError(error);
          news({ error: { code, message, hint, retryable } });
          throw error;
        }
      }),
    );
}

/** Milliseconds after its end that a hub's process may take to run dry. */
const LINGER_MS = 1000;

async function serve(terminal: Terminal, { config }: LoadedConfig, flags: ServeFlags, news: (news: HubNews) => void): Promise<number> {
  const { assemble } = await import('../hub/assemble.ts');
  const interrupt = interruptOf(process, () => systemClock.monotonic());
  const { shared, pipeline } = await assemble(config, (message) => {
    terminal.err(`${message}\n`);
    news({ say: message });
  });
  await shared.engine.load();
  const { createHub } = await import('../hub/hub.ts'); // while that loads
  const hub = await createHub(shared, { pipeline, examples: bundledExamples() }).catch(async (error: unknown) => {
    await shared.engine.close(); // or what it started keeps this process
    throw error;
  });
  const port = Number(new URL(hub.url).port);
  news({ url: hub.url });
  if (flags.json)
    terminal.out(`${JSON.stringify({ url: hub.url, enterUrl: hub.enterUrl(), pid: process.pid, isolated: shared.engine.isolated })}\n`);
  else if (flags.readyFd === undefined)
    greet(terminal, hub.url, hub.enterUrl(), {
      moved: config.hub.port !== 0 && port !== config.hub.port ? config.hub.port : undefined,
      isolated: shared.engine.isolated,
    });
  interrupt.onForce(() => process.exit(EXIT.interrupted));
  const onSignal = (): void => {
    if (!flags.json)
      terminal.err(interrupt.name === 'SIGTERM' ? 'Ending the hub; its sessions stay.\n' : 'Ending the hub and its sessions …\n');
    void hub.close(interrupt.name === 'SIGTERM' ? 'keep' : 'stop');
  };
  if (interrupt.signal.aborted) onSignal();
  else interrupt.signal.addEventListener('abort', onSignal, { once: true });
  await hub.closed;
  // Nothing that may linger (a background refresh, a connection) keeps a hub that has ended.
  setTimeout(() => process.exit(EXIT.ok), LINGER_MS).unref();
  return EXIT.ok;
}

interface Look {
  /** The port that was asked for, where another was taken. */
  readonly moved: number | undefined;
  readonly isolated: boolean;
}

function greet(terminal: Terminal, url: string, enterUrl: string, { moved, isolated }: Look): void {
  const { paint, paintOut } = terminal;
  terminal.err(`${paint('bold', 'Bindery')} hub at ${url}\n`);
  if (moved !== undefined) terminal.err(`  Port ${moved} is taken, so it is another.\n`);
  if (!isolated)
    terminal.err(
      `  ${paint('yellow', '!')} No sandbox works here: only your own folders, and links with --trust, run. See bindery doctor.\n`,
    );
  terminal.err('\n  Open this link:\n\n');
  terminal.out(`    ${paintOut('bold', enterUrl)}\n`);
  terminal.err(
    `\n  ${paint('dim', `It lets one browser in, within the hour. A fresh one: ${ownName(terminal.env)} open`)}\n  Press Ctrl-C to end the hub with its sessions.\n`,
  );
}
