import { lineEndNote } from '../formats/program.ts';
import type { Pack, PlanTree } from '../contracts/pack.ts';

const file = (tree: PlanTree): string => `${tree.config}start`;

/** `start`: a program of the repository that starts the server. It may say anything about it, so the server is the repository's own. */
export const start: Pack = {
  id: 'start',
  detect: (tree) => (tree.has(file(tree)) ? [file(tree)] : []),
  plan: async (tree) => {
    const path = file(tree);
    const text = await tree.text(path);
    if (text === undefined)
      return { steps: [], findings: [{ file: path, pack: 'start', effect: 'ignored', why: 'it leads out of the repository' }] };
    const note = await lineEndNote(tree, path, text);
    return {
      start: path,
      steps: [],
      findings: [
        { file: path, pack: 'start', effect: 'used', why: `run before the server, with the server's command as its arguments${note}` },
      ],
      joint: `${path} starts the server`,
    };
  },
};
