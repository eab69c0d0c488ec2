import type { Finding } from '@bindery/wire/events.ts';
import type { Pack, PackOptions, Part, PlanTree } from '../contracts/pack.ts';
import type { PythonBase, Step } from '../contracts/plan.ts';
import { readCondaFile } from '../formats/conda-file.ts';
import type { CondaFile } from '../formats/conda-file.ts';
import { indexName } from '../formats/conda-names.ts';
import { condaFile } from '../formats/config-files.ts';
import { alternativesOf, formatMatchSpec, pep440Of } from '../formats/match-spec.ts';
import type { MatchSpec } from '../formats/match-spec.ts';
import { admitted, admits } from '../formats/python-version.ts';
import { formatRequirement } from '../formats/requirement.ts';
import { readRequirementLines } from '../formats/requirements.ts';

const id = 'conda';

/** `environment.yml` or `.yaml`: packages from conda channels, or with `--conda pypi` what PyPI has of them, and its pip section. */
export const conda: Pack = {
  id,
  detect: (tree) => ['environment.yml', 'environment.yaml'].map((name) => tree.config + name).filter((path) => tree.has(path)),
  plan,
};

async function plan(tree: PlanTree, options: PackOptions): Promise<Part> {
  const file = condaFile(tree) ?? '';
  const findings: Finding[] = conda
    .detect(tree)
    .filter((other) => other !== file)
    .map((other) => ({ file: other, pack: id, effect: 'ignored', why: `${file} is there too` }));
  const text = await tree.text(file);
  if (text === undefined)
    return { steps: [], findings: [...findings, { file, pack: id, effect: 'ignored', why: 'it leads out of the repository' }] };
  let read = readCondaFile(file, text);
  const note = (effect: Finding['effect'], why: string): number => findings.push({ file, pack: id, effect, why });
  note('used', used(read, options));
  for (const why of read.notes) note('ignored', why);
  if (options.python !== undefined)
    read = withoutPython(read, (spec) => note('ignored', `${spec}: Python ${options.python} was asked for in its place`));
  const steps: Step[] = options.conda === 'pypi' ? fromIndex(file, read, note) : fromChannels(file, read, note);
  let contentDependent = false;
  if (read.pip !== undefined) {
    const wanted = await readRequirementLines(tree, file, read.pip, text, id);
    const { requirements, constraints, options, locals, files } = wanted;
    const inputs = [file, ...files];
    if (requirements.length > 0)
      steps.push({ uses: 'python', because: `the pip section of ${file}`, inputs, requirements, constraints, options });
    for (const local of locals) steps.push({ uses: 'local', because: `the pip section of ${file} names it`, inputs, ...local });
    contentDependent = wanted.usesTree || locals.length > 0;
    findings.push(...wanted.findings);
    for (const other of files) findings.push({ file: other, pack: id, effect: 'used', why: `the pip section of ${file} includes it` });
  }
  const python = options.python === undefined ? pythonOf(file, read.specs) : undefined;
  const env = Object.keys(read.variables).length > 0 ? { env: read.variables } : {};
  return { ...(python ? { python } : {}), steps, findings, ...env, contentDependent };
}

function fromChannels(file: string, read: CondaFile, note: (effect: Finding['effect'], why: string) => void): Step[] {
  const specs = read.specs.map(formatMatchSpec);
  if (specs.length === 0) return [];
  const names = new Set(read.specs.map((spec) => spec.name));
  // As repo2docker does: packages of R are of no use without a kernel.
  if (read.specs.some(({ name }) => name.startsWith('r-')) && !names.has('r-irkernel')) {
    specs.push('r-irkernel');
    note('used', 'r-irkernel is added: the kernel for its R packages');
  }
  return [
    { uses: 'conda', because: `${file} lists them`, inputs: [file], channels: read.channels, specs: specs.toSorted(), from: 'channels' },
  ];
}

/** The file as if it left the version of Python open. */
function withoutPython(read: CondaFile, told: (spec: string) => void): CondaFile {
  for (const spec of read.specs) if (spec.name === 'python' && spec.version !== '') told(formatMatchSpec(spec));
  return { ...read, specs: read.specs.filter(({ name }) => name !== 'python') };
}

/** Only names that PyPI has for the same thing; every other one and every changed one is told. */
function fromIndex(file: string, read: CondaFile, note: (effect: Finding['effect'], why: string) => void): Step[] {
  const specs: string[] = [];
  const missing: string[] = [];
  for (const spec of read.specs) {
    const found = indexName(spec.name);
    if (found === undefined) continue;
    if ('missing' in found) {
      missing.push(spec.name);
      continue;
    }
    const specifier = pep440Of(spec.version);
    if (specifier === undefined) note('ignored', `the versions ${spec.version} of ${spec.name} cannot be said on PyPI: any is taken`);
    if (found.renamed) note('used', `${spec.name} comes from PyPI as ${found.name}`);
    specs.push(formatRequirement({ name: found.name, extras: [], specifier: specifier ?? '' }));
  }
  if (missing.length > 0) note('unsupported', `not on PyPI: ${missing.join(', ')}`);
  if (specs.length === 0) return [];
  return [
    {
      uses: 'conda',
      because: `${file} lists them, PyPI was asked for`,
      inputs: [file],
      channels: [],
      specs: [...new Set(specs)].toSorted(),
      from: 'pypi',
    },
  ];
}

/** repo2docker understands `python=X.Y` alone; here every specification counts. */
function pythonOf(file: string, specs: readonly MatchSpec[]): PythonBase | undefined {
  const spec = specs.find((each) => each.name === 'python');
  if (!spec || spec.version === '' || spec.version === '*') return undefined;
  const because = `${file} says ${formatMatchSpec(spec)}`;
  const requires = pep440Of(spec.version);
  if (requires !== undefined) return { requires: minorOnly(requires), prefer: 'newest', because };
  const alternatives = alternativesOf(spec.version);
  const prefer = admitted('').find((version) => alternatives.some((each) => admits(each, version)));
  return { requires: '', prefer: prefer ?? 'newest', because };
}

/** An exact patch version is asked for by exports of other machines; any of the same series does. */
function minorOnly(requires: string): string {
  return requires.replace(/^==(\d+\.\d+)(?:\.\d+)*(?:\.\*)?$/, '==$1.*');
}

function used(read: CondaFile, options: PackOptions): string {
  const count = read.specs.length;
  if (count === 0) return 'it lists no conda packages';
  const packages = `${count} ${count === 1 ? 'package' : 'packages'}`;
  return options.conda === 'pypi' ? `${packages}, from PyPI as asked for` : `${packages} from ${read.channels.join(', ')}`;
}
