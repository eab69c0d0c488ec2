import type { Pack } from '../contracts/pack.ts';
import { apt } from '../packs/apt.ts';
import { conda } from '../packs/conda.ts';
import { others } from '../packs/others.ts';
import { pipenv } from '../packs/pipenv.ts';
import { postBuild } from '../packs/post-build.ts';
import { python } from '../packs/python.ts';
import { start } from '../packs/start.ts';

/** Every pack, in the order in which their steps are carried out. A test compares this list with the folder. */
export const packs: readonly Pack[] = [apt, conda, pipenv, python, postBuild, start, others];
