import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { BinderyError } from '@bindery/wire/errors.ts';
import { systemClock } from '../base/clock.ts';
import type { Config } from '../base/config.ts';
import { command, configOf, ownName, type Cli, type CommonOptions } from './common.ts';
import { EXIT } from './exit.ts';
import { interruptOf } from './interrupt.ts';
import type { Terminal } from './terminal.ts';

interface SupernodeFlags extends CommonOptions {
  readonly server: string;
  readonly tokenFile?: string;
}

const HELP = `
What is asked for below its address goes to the Jupyter server, with the server's token; shared documents it answers itself,
and runs their cells. The token is taken from --token-file, from BINDERY_SUPERNODE_TOKEN, from the address, or from what a
Jupyter server of yours on this machine has noted of itself. Ctrl-C and SIGTERM save what is edited and end it; what was
acknowledged is on the disk, also after a crash.`;

/** `bindery supernode`: the documents of any Jupyter server shared, in the foreground. */
export function supernodeCommand({ terminal, run }: Cli): Command {
  return command('supernode', "Share a Jupyter server's notebooks, in the foreground", [
    ['bindery supernode --server http://localhost:8888/', 'prints a link to JupyterLab with shared documents'],
    ['bindery supernode --server https://jupyter.example.org/ --token-file token', 'a server elsewhere'],
    ['bindery supernode --server localhost:8888 --port 0 --json', 'on any free port; prints one line of JSON when it listens'],
  ])
    .requiredOption('--server <address>', 'base address of the Jupyter server; http+unix://%2Fpath%2Fto.sock/ for a socket')
    .option('--token-file <file>', 'file with the token of the Jupyter server')
    .option('--port <number>', 'port to listen on; the next free one is taken where it is in use, 0 means any')
    .addHelpText('after', HELP)
    .action(({ port, ...flags }: SupernodeFlags) =>
      run(flags, () => {
        const set = { ...flags.set, ...(port === undefined ? {} : { 'supernode.port': port }) };
        return supernode(terminal, configOf({ ...flags, set }, terminal).config, flags);
      }),
    );
}

async function supernode(terminal: Terminal, config: Config, flags: SupernodeFlags): Promise<number> {
  const interrupt = interruptOf(process, () => systemClock.monotonic());
  interrupt.onForce(() => process.exit(EXIT.interrupted));
  const { namedServer, notedToken } = await import('../supernode/server-address.ts');
  const { serveSupernode } = await import('../supernode/supernode-server.ts');
  const { insidePage } = await import('../hub/inside-page.ts');
  const web = fileURLToPath(new URL('../../../web/dist', import.meta.url));
  const named = namedServer(flags.server);
  const token = (await tokenIn(flags.tokenFile)) ?? named.token ?? config.supernode.token ?? (await notedToken(named, terminal.env)) ?? '';
  const server = await serveSupernode({
    config,
    clock: systemClock,
    address: { ...named, token },
    page: (name, request, response) => insidePage(web, name, request, response),
  });
  const { url, port, enterUrl, keyFile, folder, jupyterVersion } = server;
  if (flags.json) terminal.out(`${JSON.stringify({ url, enterUrl, pid: process.pid, keyFile, jupyterVersion })}\n`);
  else {
    const { paint, paintOut } = terminal;
    terminal.err(
      `${paint('bold', 'Bindery')} supernode at ${url} for ${named.socketPath ?? named.url} (${jupyterVersion}), documents in ${folder}\n`,
    );
    if (config.supernode.port !== 0 && port !== config.supernode.port)
      terminal.err(`  Port ${config.supernode.port} is taken, so it is another.\n`);
    terminal.err('\n  Open this link:\n\n');
    terminal.out(`    ${paintOut('bold', enterUrl)}\n`);
    terminal.err(
      `\n  ${paint('dim', `It lets one browser in, within the hour. For others: ${ownName(terminal.env)} share <path> --server ${named.url}`)}\n`,
    );
    terminal.err('  Press Ctrl-C to end it.\n');
  }
  await interrupt.first;
  await server.close();
  return EXIT.ok;
}

/** @throws BinderyError config_invalid */
async function tokenIn(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new BinderyError('config_invalid', `The token can't be read: ${error.message}`, {
      hint: 'Name a file that holds it with --token-file.',
    });
  });
  return text.trim();
}
