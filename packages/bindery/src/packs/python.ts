import type { Finding } from '@bindery/wire/events.ts';
import type { Pack, PackOptions, Part, PlanTree } from '../contracts/pack.ts';
import type { PythonBase, Step } from '../contracts/plan.ts';
import { condaFile } from '../formats/config-files.ts';
import { readRequirements } from '../formats/requirements.ts';
import type { Requirements } from '../formats/requirements.ts';
import { readRuntime } from '../formats/runtime.ts';

const id = 'python';

/** `requirements.txt` and `runtime.txt` (rules: those of repo2docker). */
export const python: Pack = {
  id,
  detect: (tree) => ['requirements.txt', 'runtime.txt'].map((name) => tree.config + name).filter((path) => tree.has(path)),
  plan,
};

async function plan(tree: PlanTree, _options: PackOptions): Promise<Part> {
  const conda = condaFile(tree);
  if (conda !== undefined)
    return {
      steps: [],
      findings: python
        .detect(tree)
        .map((file) => ({ file, pack: id, effect: 'ignored' as const, why: `${conda} says everything, as with repo2docker` })),
    };
  const findings: Finding[] = [];
  const python_ = await version(tree, findings);
  const file = `${tree.config}requirements.txt`;
  if (!tree.has(file)) return { ...(python_ ? { python: python_ } : {}), steps: [], findings };
  const wanted = await readRequirements(tree, file, id);
  return {
    ...(python_ ? { python: python_ } : {}),
    ...requirementsPart(file, wanted),
    findings: [...findings, ...used(file, wanted), ...wanted.findings],
  };
}

async function version(tree: PlanTree, findings: Finding[]): Promise<PythonBase | undefined> {
  const file = `${tree.config}runtime.txt`;
  const text = await tree.text(file);
  if (text === undefined) return undefined;
  const runtime = readRuntime(file, text);
  findings.push({ file, pack: id, effect: runtime.python === undefined ? 'ignored' : 'used', why: runtime.why });
  return runtime.python === undefined ? undefined : { requires: runtime.python, prefer: 'newest', because: `${file} says so` };
}

function requirementsPart(file: string, wanted: Requirements): Pick<Part, 'steps' | 'contentDependent'> {
  const { requirements, constraints, options } = wanted;
  const inputs = wanted.files;
  const steps: Step[] =
    requirements.length > 0 ? [{ uses: 'python', because: `${file} lists them`, inputs, requirements, constraints, options }] : [];
  for (const local of wanted.locals) steps.push({ uses: 'local', because: `${file} names it`, inputs, ...local });
  return { steps, contentDependent: wanted.usesTree || wanted.locals.length > 0 };
}

function used(file: string, wanted: Requirements): Finding[] {
  return wanted.files.map((found) => ({
    file: found,
    pack: id,
    effect: 'used' as const,
    why: found === file ? count(wanted.requirements.length) : `${file} includes it`,
  }));
}

function count(packages: number): string {
  return packages === 0 ? 'it lists no packages' : `${packages} ${packages === 1 ? 'requirement' : 'requirements'} from the package index`;
}
