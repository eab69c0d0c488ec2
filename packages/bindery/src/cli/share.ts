import { readFile } from 'node:fs/promises';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { BinderyError } from '@bindery/wire/errors.ts';
import { systemClock } from '../base/clock.ts';
import { readRecord } from '../base/state-lock.ts';
import { ROLES } from '@bindery/wire/roles.ts';
import { Shares, type Share } from '../relay/shares.ts';
import { command, configOf, type Cli, type CommonOptions } from './common.ts';
import { EXIT } from './exit.ts';

interface ShareFlags extends CommonOptions {
  readonly role: Share['role'];
  readonly for: number;
}

/** Seconds: a day, and the most that a link may last, ten years. */
const DAY = 86_400;
const LONGEST = 3650 * DAY;

const NAMES = 'A name has 1 to 1024 characters, and is neither . nor ..';

/** `bindery share`: a link into one room of the relay that runs. */
export function shareCommand({ terminal, run }: Cli): Command {
  return command('share', 'Make a link to a shared document of the relay', [
    ['bindery share notes', 'whoever has it may edit the document notes for a day'],
    ['bindery share notes --role read --for 3600', 'read it, for an hour'],
  ])
    .argument('<name>', 'name of the document; it is made when somebody enters')
    .addOption(new Option('--role <role>', 'what the link allows').choices(ROLES).default('edit'))
    .option('--for <seconds>', 'how long it does', seconds, DAY)
    .action((room: string, flags: ShareFlags) =>
      run(flags, async () => {
        const { forSockets, relayPlaces, roomPath } = await import('../relay/places.ts');
        const path = roomPath(room);
        if (path === undefined)
          throw new BinderyError('request_invalid', `No document can be called ${JSON.stringify(room)}.`, { hint: NAMES });
        const { folder, keyFile } = relayPlaces(configOf(flags, terminal).config);
        const record = await readRecord(folder, 'relay');
        if (!record) throw new BinderyError('relay_unreachable', `No relay runs on ${folder}.`);
        const { role } = flags;
        const until = Math.floor(systemClock.now() / 1000 + flags.for) * 1000;
        const shares = new Shares((await readFile(keyFile, 'utf8')).trim());
        const url = `${forSockets(record.url)}${path}?share=${shares.sign({ room, role, until })}`;
        terminal.out(flags.json ? `${JSON.stringify({ url, role, until: new Date(until).toISOString() })}\n` : `${url}\n`);
        return EXIT.ok;
      }),
    );
}

function seconds(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > LONGEST)
    throw new InvalidArgumentError(`It is a whole number of seconds, ${LONGEST} at most.`);
  return value;
}
