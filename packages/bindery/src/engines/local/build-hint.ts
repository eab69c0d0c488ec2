const program = ([, name]: RegExpExecArray): string =>
  `It needs the program ${name}, which this machine lacks: install it there, or take a version of the package that has a wheel.`;

/** What steps of repositories often fail of, in the words of their programs, and what to do about it. */
const KNOWN: readonly (readonly [said: RegExp, hint: (match: RegExpExecArray) => string])[] = [
  [
    /`?jupyter-nbextension`? not found/,
    () => 'Notebook 7 knows no nbextensions, and widgets need none: remove “jupyter nbextension” from postBuild.',
  ],
  [
    /`?jupyter-serverextension`? not found/,
    () => 'It is called “jupyter server extension” now, and packages turn theirs on themselves: mend or remove the line in postBuild.',
  ],
  [
    /labextension install command is (?:now )?deprecated|is not a valid npm package|install NodeJS and npm|npm and nodejs/i,
    () =>
      'Extensions of JupyterLab come as Python packages since version 3: name them in requirements.txt or environment.yml in place of “jupyter labextension install”.',
  ],
  [/(?:error: command|unable to execute) '([\w.+-]+)'(?: failed)?: No such file or directory/, program],
  [
    /No such file or directory: '(gcc|g\+\+|cc|c\+\+|gfortran|cmake|make|ninja|swig|pkg-config|mpicc|nvcc|git|node|npm|R|Rscript|java)'/,
    program,
  ],
  [
    /fatal error: ([\w./+-]+\.h(?:pp)?): No such file or directory/,
    ([, header]) =>
      `It needs the C header ${header}, which this machine lacks: install its library's development package there, or take a version of the package that has a wheel.`,
  ],
];

/** What helps against the failure that a log ends with, where it is a known one. */
export function hintOf(log: string): string | undefined {
  const found = KNOWN.flatMap(([said, hint]) => {
    const match = said.exec(log);
    return match ? [{ at: match.index, text: hint(match) }] : [];
  });
  return found.toSorted((a, b) => b.at - a.at)[0]?.text;
}
