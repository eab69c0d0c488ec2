import type { Pack, PlanTree } from '../contracts/pack.ts';
import { lineEndNote } from '../formats/program.ts';
import { jupyterCommand } from '../formats/shell.ts';

const file = (tree: PlanTree): string => `${tree.config}postBuild`;

/** `postBuild`: a program of the repository, run once when its environment is built. */
export const postBuild: Pack = {
  id: 'post-build',
  detect: (tree) => (tree.has(file(tree)) ? [file(tree)] : []),
  plan: async (tree, { skipPostBuild }) => {
    const path = file(tree);
    const text = await tree.text(path);
    const left = text === undefined ? 'it leads out of the repository' : skipPostBuild === true ? 'left out, as was asked for' : undefined;
    if (text === undefined || left !== undefined)
      return { steps: [], findings: [{ file: path, pack: 'post-build', effect: 'ignored', why: left ?? '' }] };
    const note = await lineEndNote(tree, path, text);
    const command = jupyterCommand(text);
    return {
      steps: [{ uses: 'run', because: `${path} is there`, inputs: [path], path }],
      findings: [{ file: path, pack: 'post-build', effect: 'used', why: `run once when the environment is built${note}` }],
      contentDependent: true,
      ...(command === undefined ? {} : { joint: `${path} runs “${command}”` }),
    };
  },
};
