import type { Finding } from '@bindery/wire/events.ts';
import type { Pack, PlanTree } from '../contracts/pack.ts';

const id = 'others';
type Report = readonly [effect: Finding['effect'], why: string];

const INSTEAD = 'list what is needed in requirements.txt or environment.yml';

/** Files that repo2docker would build from and this builder cannot yet, wherever configuration is looked for. */
const CONFIGURATION: Readonly<Record<string, Report>> = {
  Dockerfile: ['unsupported', `needs a container engine; ${INSTEAD}`],
  'install.R': ['unsupported', 'R is not supported yet'],
  DESCRIPTION: ['unsupported', 'R packages are not supported yet'],
  'Project.toml': ['unsupported', 'Julia is not supported yet'],
  'JuliaProject.toml': ['unsupported', 'Julia is not supported yet'],
  'Manifest.toml': ['unsupported', 'Julia is not supported yet'],
  'JuliaManifest.toml': ['unsupported', 'Julia is not supported yet'],
  REQUIRE: ['unsupported', 'Julia is not supported yet; repo2docker asks for Project.toml in its place'],
  'default.nix': ['unsupported', 'Nix is not supported yet'],
  'requirements3.txt': ['ignored', 'it is for Python 2 kernels only, of which there are none any more'],
};

/** Files of other tools that describe an environment; repo2docker does not read them either. */
const OTHER_TOOLS: Readonly<Record<string, Report>> = {
  'poetry.lock': ['ignored', `Poetry's lock is not read; poetry export writes requirements.txt`],
  'pdm.lock': ['ignored', `PDM's lock is not read; pdm export writes requirements.txt`],
  'pylock.toml': ['ignored', 'it is not read yet; uv pip compile writes requirements.txt'],
  'pixi.toml': ['ignored', 'pixi is not supported yet; pixi project export conda-environment writes environment.yml'],
  'pixi.lock': ['ignored', 'pixi is not supported yet'],
  'conda-lock.yml': ['ignored', 'conda-lock is not read; environment.yml is'],
  'renv.lock': ['ignored', 'R is not supported yet'],
  'flake.nix': ['ignored', 'Nix is not supported yet'],
  'shell.nix': ['ignored', 'Nix is not supported yet'],
  'setup.cfg': ['ignored', 'without setup.py or pyproject.toml it makes no package'],
  '.tool-versions': ['ignored', 'the version of Python is read from runtime.txt, pyproject.toml or environment.yml'],
  '.devcontainer.json': ['ignored', `needs a container engine; ${INSTEAD}`],
  '.devcontainer/devcontainer.json': ['ignored', `needs a container engine; ${INSTEAD}`],
  '.dockerignore': ['ignored', 'it is for container builds only'],
  '.containerignore': ['ignored', 'it is for container builds only'],
};

/** What would count if there were no binder folder. */
const ROOT_ONLY = Object.keys(CONFIGURATION).concat(
  ['requirements.txt', 'environment.yml', 'environment.yaml', 'runtime.txt', 'apt.txt', 'postBuild', 'start', 'Pipfile', 'Pipfile.lock'],
  ['setup.py', 'pyproject.toml', 'uv.lock'],
);

/** Scripts at the top that are looked into for inline metadata, and how many. */
const MOST_SCRIPTS = 20;

/** Reports every file that some builder would use and this one does not, with the reason and what to do. Adds nothing to a plan. */
export const others: Pack = {
  id,
  detect: (tree) => [...reports(tree).map((finding) => finding.file), ...scripts(tree)],
  plan: async (tree) => {
    const findings = reports(tree);
    for (const file of scripts(tree)) {
      // A script too large to be one of ours to read is none with inline metadata (PEP 723).
      const text = (await tree.text(file).catch(() => undefined)) ?? '';
      if (/^# \/\/\/ script\s*$/m.test(text))
        findings.push({ file, pack: id, effect: 'ignored', why: `its inline metadata is for running it alone (uv run); ${INSTEAD}` });
    }
    return { steps: [], findings };
  },
};

function reports(tree: PlanTree): Finding[] {
  const found = new Map<string, Report>();
  const add = (file: string, report: Report): void => {
    if (tree.has(file) && !found.has(file)) found.set(file, report);
  };
  for (const [name, report] of Object.entries(CONFIGURATION)) add(tree.config + name, report);
  if (tree.config !== '') for (const name of ROOT_ONLY) add(name, ['ignored', `only ${tree.config} is looked at, for it is there`]);
  const packaged = tree.has('setup.py') || tree.has('pyproject.toml');
  for (const [name, report] of Object.entries(OTHER_TOOLS)) {
    if (name === 'setup.cfg' && packaged) continue;
    add(name, report);
    add(tree.config + name, report);
  }
  for (const name of ['binder', '.binder'])
    if (tree.has(name)) found.set(name, ['ignored', 'it is a file or a link, not a folder: environment files in it are not seen']);
  return [...found].map(([file, [effect, why]]) => ({ file, pack: id, effect, why }));
}

function scripts(tree: PlanTree): string[] {
  return tree.paths.filter((path) => path.endsWith('.py') && !path.includes('/')).slice(0, MOST_SCRIPTS);
}
