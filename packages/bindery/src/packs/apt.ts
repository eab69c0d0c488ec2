import type { Pack, PlanTree } from '../contracts/pack.ts';
import { invalidFile } from '../formats/text.ts';

const file = (tree: PlanTree): string => `${tree.config}apt.txt`;

/** `apt.txt`: Debian packages, one or more a line. Which engine can install them is the engine's to say. */
export const apt: Pack = {
  id: 'apt',
  detect: (tree) => (tree.has(file(tree)) ? [file(tree)] : []),
  plan: async (tree) => {
    const path = file(tree);
    const text = await tree.text(path);
    const packages = text === undefined ? [] : packagesOf(path, text);
    if (packages.length === 0)
      return {
        steps: [],
        findings: [
          {
            file: path,
            pack: 'apt',
            effect: 'ignored',
            why: text === undefined ? 'it leads out of the repository' : 'it lists no packages',
          },
        ],
      };
    return {
      steps: [{ uses: 'apt', because: `${path} lists them`, inputs: [path], packages }],
      findings: [{ file: path, pack: 'apt', effect: 'used', why: `Debian packages: ${packages.join(', ')}` }],
    };
  },
};

function packagesOf(path: string, text: string): string[] {
  const packages = new Set<string>();
  for (const [index, line] of text.split('\n').entries()) {
    for (const word of line.replace(/#.*$/, '').matchAll(/\S+/g)) {
      // As Debian's policy has names, with an architecture and a version where one is given.
      if (!/^[a-z0-9][a-z0-9.+-]*(?::[a-z0-9-]+)?(?:=[A-Za-z0-9.+:~-]+)?$/.test(word[0]))
        throw invalidFile({ file: path, line: index + 1, column: word.index + 1 }, text, 'this is not the name of a Debian package');
      packages.add(word[0]);
    }
  }
  return [...packages].toSorted();
}
