import type { Finding } from '@bindery/wire/events.ts';
import type { Pack, Part, PlanTree } from '../contracts/pack.ts';
import type { Step } from '../contracts/plan.ts';
import { condaFile, folderOf, pipFile, resolvePath } from '../formats/config-files.ts';
import { readPipfile, readPipfileLock } from '../formats/pipfile.ts';

const id = 'pipenv';

/** `Pipfile.lock`, else `Pipfile`: development packages included, requirements.txt left alone, as with repo2docker. */
export const pipenv: Pack = {
  id,
  detect: (tree) => ['Pipfile', 'Pipfile.lock'].map((name) => tree.config + name).filter((path) => tree.has(path)),
  plan,
};

async function plan(tree: PlanTree): Promise<Part> {
  const file = pipFile(tree) ?? '';
  const note = (file: string, effect: Finding['effect'], why: string): Finding => ({ file, pack: id, effect, why });
  const conda = condaFile(tree);
  if (conda !== undefined)
    return {
      steps: [],
      findings: pipenv.detect(tree).map((path) => note(path, 'ignored', `beside ${conda} it does not count, as with repo2docker`)),
    };
  const text = await tree.text(file);
  if (text === undefined) return { steps: [], findings: [note(file, 'ignored', 'it leads out of the repository')] };
  const locked = file.endsWith('.lock');
  const read = locked ? readPipfileLock(file, text) : readPipfile(file, text);
  const { requirements } = read;
  const options = read.indexes.map((index) => `--extra-index-url=${index}`);
  const because = locked ? `${file} locks them` : `${file} lists them`;
  const findings = [
    note(
      file,
      'used',
      `${requirements.length} ${requirements.length === 1 ? 'package' : 'packages'}${locked ? ' exactly as locked' : ' from the package index'}`,
    ),
  ];
  if (locked && tree.has(file.slice(0, -'.lock'.length)))
    findings.push(note(file.slice(0, -'.lock'.length), 'ignored', `${file} says it exactly`));
  const steps: Step[] = [];
  if (requirements.length > 0)
    steps.push(
      locked
        ? { uses: 'locked-python', because, inputs: [file], requirements, ...(options.length > 0 ? { options } : {}) }
        : { uses: 'python', because, inputs: [file], requirements, constraints: [], options },
    );
  for (const { path, editable, extras } of read.locals) {
    const inside = resolvePath(folderOf(file), path);
    if (inside === undefined) findings.push(note(file, 'unsupported', `${path} lies outside of the repository`));
    else
      steps.push({
        uses: 'local',
        because: `${file} names it`,
        inputs: [file],
        path: inside === '' ? '.' : `./${inside}`,
        editable,
        extras,
      });
  }
  const python =
    read.requiresPython === ''
      ? {}
      : { python: { requires: read.requiresPython, prefer: 'newest', because: `${file} (${read.requiresPython})` } };
  return { ...python, steps, findings, contentDependent: steps.some((step) => step.uses === 'local') };
}
