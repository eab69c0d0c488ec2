import { validSpecifier } from './python-version.ts';
import { formatRequirement, parseRequirement } from './requirement.ts';
import { SyntaxProblem } from './scanner.ts';
import { invalidFile } from './text.ts';
import { parseToml, placeOfText, tableIn, textIn, textsIn } from './toml.ts';

/** What of a `pyproject.toml` matters for an environment (PEP 518, 621). */
export interface Pyproject {
  /** Has both `[project]` and `[build-system]`: repo2docker's sign of a package to install. */
  readonly isPackage: boolean;
  readonly hasProject: boolean;
  /** PEP 440 specifier, `''` where there is none. */
  readonly requiresPython: string;
  /** `[project] dependencies`, in our spelling; of a package only those that a build backend does not fill in first. */
  readonly dependencies: readonly string[];
  /** Groups that `uv sync` installs unasked. */
  readonly defaultGroups: readonly string[] | 'all';
  /** Tools with a section of their own: `poetry`, `pdm` … */
  readonly tools: readonly string[];
}

/** Reads a `pyproject.toml`. Throws `file_invalid`. */
export function readPyproject(file: string, text: string): Pyproject {
  const root = parseToml(file, text);
  const project = tableIn(root, 'project');
  const tools = tableIn(root, 'tool');
  const uv = tableIn(tools, 'uv');
  const requiresPython = textIn(project, 'requires-python') ?? '';
  if (!validSpecifier(requiresPython))
    throw invalidFile(
      placeOfText(file, text, requiresPython),
      text,
      'requires-python is not a version specifier',
      'For instance: requires-python = ">=3.10"',
    );
  const isPackage = project !== undefined && tableIn(root, 'build-system') !== undefined;
  return {
    hasProject: project !== undefined,
    isPackage,
    requiresPython: normalSpecifier(requiresPython),
    dependencies: textsIn(project, 'dependencies').flatMap((line) => dependency(file, text, line, isPackage)),
    defaultGroups:
      uv?.['default-groups'] === 'all' ? 'all' : uv?.['default-groups'] === undefined ? ['dev'] : textsIn(uv, 'default-groups'),
    tools: Object.keys(tools ?? {}),
  };
}

/** Without white space, clauses in one order. */
export function normalSpecifier(text: string): string {
  return text
    .split(',')
    .map((clause) => clause.replace(/\s+/g, ''))
    .filter((clause) => clause !== '')
    .toSorted()
    .join(',');
}

function dependency(file: string, text: string, line: string, isPackage: boolean): string[] {
  try {
    return [formatRequirement(parseRequirement(line))];
  } catch (error) {
    if (!(error instanceof SyntaxProblem)) throw error;
    if (isPackage) return [];
    const place = placeOfText(file, text, line);
    throw invalidFile({ ...place, column: place.column + error.at }, text, error.message, error.hint);
  }
}
