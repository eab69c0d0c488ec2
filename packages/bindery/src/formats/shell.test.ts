import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jupyterCommand } from './shell.ts';

test('a jupyter command is found wherever a command can stand', () => {
  for (const [script, command] of [
    ['jupyter lab build', 'jupyter lab build'],
    ['#!/bin/bash\nset -e\n  jupyter labextension install x', 'jupyter labextension install'],
    ['true && jupyter-nbextension enable y', 'jupyter-nbextension enable y'],
    ['A=1 sudo -E python3 -m jupyter lab build', 'jupyter lab build'],
    ['if true; then jupyter trust a.ipynb; fi', 'jupyter trust'],
    ['${NB_PYTHON_PREFIX}/bin/jupyter serverextension enable z', 'jupyter serverextension enable'],
    ['conda run -n notebook jupyter lab build', 'jupyter lab build'],
    ['jupyter \\\n  lab build', 'jupyter lab build'],
    ['#!/usr/bin/env python3\nimport subprocess\nsubprocess.run(["jupyter", "lab"])', 'jupyter'],
  ] as const)
    assert.equal(jupyterCommand(script), command, script);
});

test('the word alone is no command', () => {
  for (const script of [
    'pip install jupyter',
    '# jupyter lab build',
    'echo jupyter',
    'cp a ~/.jupyter/',
    'pip install jupyterlab-git',
    '#!/usr/bin/python3\n# jupyter\nprint(1)',
    '',
  ])
    assert.equal(jupyterCommand(script), undefined, script);
});
