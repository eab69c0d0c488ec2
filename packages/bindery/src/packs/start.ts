import type { Pack, PlanTree } from '../contracts/pack.ts';

const file = (tree: PlanTree): string => `${tree.config}start`;

/** `start`: a program of the repository that starts the server. It may say anything about it, so the server is the repository's own. */
export const start: Pack = {
  id: 'start',
  detect: (tree) => (tree.has(file(tree)) ? [file(tree)] : []),
  plan: async (tree) => {
    const path = file(tree);
    if ((await tree.text(path)) === undefined)
      return { steps: [], findings: [{ file: path, pack: 'start', effect: 'ignored', why: 'it leads out of the repository' }] };
    return {
      start: path,
      steps: [],
      findings: [{ file: path, pack: 'start', effect: 'used', why: "run before the server, with the server's command as its arguments" }],
      joint: `${path} starts the server`,
    };
  },
};
