// The clients, in a process of their own: `load.ts <server as JSON> <job as JSON>` says in one line of JSON what it measured.
import { fanOut, type FanOut, type FanOutJob } from './fan-out.ts';
import type { Target } from './client.ts';
import {
  edits,
  flood,
  idle,
  openers,
  reopened,
  type EditsJob,
  type FloodJob,
  type IdleJob,
  type OpenersJob,
  type ReopenedJob,
} from './whole.ts';

export type Job = FanOutJob | FloodJob | OpenersJob | EditsJob | ReopenedJob | IdleJob;
/** Milliseconds; of an idle job: 0. */
export type Measured<J extends Job> = J extends FanOutJob ? FanOut : number;

const [target = '{}', job = '{}'] = process.argv.slice(2);
console.log(JSON.stringify(await work(JSON.parse(target) as Target, JSON.parse(job) as Job)));

async function work(server: Target, asked: Job): Promise<FanOut | number> {
  if (asked.kind === 'fanOut') return fanOut(server, asked);
  if (asked.kind === 'flood') return flood(server, asked);
  if (asked.kind === 'openers') return openers(server, asked);
  if (asked.kind === 'edits') return edits(server, asked);
  if (asked.kind === 'reopened') return reopened(server, asked);
  return idle(server, asked);
}
