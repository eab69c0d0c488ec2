import { join } from 'node:path';
import type { Clock } from '../base/clock.ts';
import type { Config } from '../base/config.ts';
import type { Turns } from '../base/turns.ts';
import type { Worker } from '../base/worker.ts';
import { hubGit } from '../clients/git.ts';
import { Github } from '../clients/github.ts';
import type { Provider } from '../contracts/provider.ts';
import { ghProvider } from '../providers/gh.ts';
import { gitProvider } from '../providers/git.ts';

/** What providers are made from. */
export interface ProviderTools {
  readonly config: Config;
  readonly clock: Clock;
  readonly worker: Worker;
  readonly turns: Turns;
}

/** Every provider, by id, in the order in which the form offers them. A test compares this list with the folder. */
export function makeProviders({ config, clock, worker, turns }: ProviderTools): ReadonlyMap<string, Provider> {
  const git = hubGit(worker, config);
  const { protocols } = config.git;
  const github = new Github({ apiUrl: config.github.apiUrl, token: config.github.token, clock });
  const cache = { git, worker, turns, folder: join(config.folders.cache, 'repos') };
  const providers = [
    ghProvider({ github, git, url: config.github.url, protocols }),
    gitProvider({ ...cache, protocols, timeoutMs: config.git.timeout * 1000, maxBytes: config.git.maxBytes }),
  ];
  return new Map(providers.map((provider) => [provider.id, provider]));
}
