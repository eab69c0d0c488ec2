import { readFile } from 'node:fs/promises';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { BinderyError } from '@bindery/wire/errors.ts';
import { systemClock } from '../base/clock.ts';
import { readRecord } from '../base/state-lock.ts';
import { ROLES } from '@bindery/wire/roles.ts';
import type { Config } from '../base/config.ts';
import { withoutSlashes } from '../base/within.ts';
import { pageFor } from '../proxy/visitors.ts';
import { Shares, type Share } from '../relay/shares.ts';
import { command, configOf, type Cli, type CommonOptions } from './common.ts';
import { EXIT } from './exit.ts';

interface ShareFlags extends CommonOptions {
  readonly role: Share['role'];
  readonly for: number;
  readonly server?: string;
}

/** Seconds: a day, and the most that a link may last, ten years. */
const DAY = 86_400;
const LONGEST = 3650 * DAY;

const NAMES = 'A name has 1 to 1024 characters, and is neither . nor ..';

/** `bindery share`: a link into one room of the relay that runs, or to one file of a Jupyter server that a supernode keeps the documents of. */
export function shareCommand({ terminal, run }: Cli): Command {
  return command('share', 'Make a link to a shared document of a relay, or a file of a supernode', [
    ['bindery share notes', 'whoever has it may edit the document notes for a day'],
    ['bindery share notes --role read --for 3600', 'read it, for an hour'],
    ['bindery share work/plan.ipynb --server http://localhost:8888/', 'edit this notebook of a Jupyter server, see nothing else'],
  ])
    .argument('<name>', 'name of the document, which is made when somebody enters; with --server, path of a file')
    .option('--server <address>', 'the Jupyter server that bindery supernode was started for')
    .addOption(new Option('--role <role>', 'what the link allows').choices(ROLES).default('edit'))
    .option('--for <seconds>', 'how long it does', seconds, DAY)
    .action((room: string, flags: ShareFlags) =>
      run(flags, async () => {
        const { config } = configOf(flags, terminal);
        const { role } = flags;
        const until = Math.floor(systemClock.now() / 1000 + flags.for) * 1000;
        const share = { room, role, until };
        const url = await (flags.server === undefined ? roomLink(config, share) : fileLink(config, flags.server, share));
        terminal.out(flags.json ? `${JSON.stringify({ url, role, until: new Date(until).toISOString() })}\n` : `${url}\n`);
        return EXIT.ok;
      }),
    );
}

/** @throws BinderyError request_invalid, relay_unreachable */
async function roomLink(config: Config, share: Share): Promise<string> {
  const { forSockets, relayPlaces, roomPath } = await import('../relay/places.ts');
  const path = roomPath(share.room);
  if (path === undefined)
    throw new BinderyError('request_invalid', `No document can be called ${JSON.stringify(share.room)}.`, { hint: NAMES });
  const { folder, keyFile } = relayPlaces(config);
  const record = await readRecord(folder, 'relay');
  if (!record) throw new BinderyError('relay_unreachable', `No relay runs on ${folder}.`);
  const shares = new Shares((await readFile(keyFile, 'utf8')).trim());
  return `${forSockets(record.url)}${path}?share=${shares.sign(share)}`;
}

/** @throws BinderyError request_invalid, supernode_unreachable */
async function fileLink(config: Config, server: string, { room, role, until }: Share): Promise<string> {
  const { namedServer } = await import('../supernode/server-address.ts');
  const { supernodePlaces, supernodeShare } = await import('../supernode/supernode-server.ts');
  const named = namedServer(server);
  const { folder, keyFile } = supernodePlaces(config, named);
  const record = await readRecord(folder, 'supernode');
  if (!record) throw new BinderyError('supernode_unreachable', `No supernode runs for ${named.url}.`);
  const visitor = { role, path: withoutSlashes(room), until };
  const url = new URL('-/open', record.url);
  url.searchParams.set('share', supernodeShare((await readFile(keyFile, 'utf8')).trim(), systemClock, visitor));
  url.searchParams.set('next', pageFor(visitor));
  return url.href;
}

function seconds(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > LONGEST)
    throw new InvalidArgumentError(`It is a whole number of seconds, ${LONGEST} at most.`);
  return value;
}
