import type { Pack } from '../contracts/pack.ts';
import { python } from '../packs/python.ts';

/** Every pack, in the order in which their steps are carried out. A test compares this list with the folder. */
export const packs: readonly Pack[] = [python];
