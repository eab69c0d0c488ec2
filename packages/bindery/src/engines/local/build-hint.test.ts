import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hintOf } from './build-hint.ts';

test('a failure that many repositories have is explained', () => {
  for (const [log, hint] of [
    ['usage: jupyter [-h]\n\nJupyter command `jupyter-nbextension` not found.', /Notebook 7/],
    ['Jupyter command `jupyter-serverextension` not found.', /jupyter server extension/],
    ['UserWarning: ValueError: "@jupyter-widgets/jupyterlab-manager@0.38" is not a valid npm package', /Python packages since version 3/],
    ["building 'Box2D._Box2D' extension\nswigging Box2D.i\nerror: command 'swig' failed: No such file or directory", /the program swig,/],
    ["unable to execute 'gcc': No such file or directory", /the program gcc,/],
    ["FileNotFoundError: [Errno 2] No such file or directory: 'cmake'", /the program cmake,/],
    ['_configtest.c:2:10: fatal error: mpi.h: No such file or directory', /header mpi\.h,/],
  ] as const)
    assert.match(hintOf(log) ?? '', hint, log);
});

test('of two, the one that came last counts', () => {
  assert.match(hintOf('`jupyter-nbextension` not found.\n"x@0.38" is not a valid npm package') ?? '', /version 3/);
});

test('a failure of its own is not', () => {
  assert.equal(hintOf("AttributeError: module 'bokeh' has no attribute 'sampledata'"), undefined);
  assert.equal(hintOf("FileNotFoundError: [Errno 2] No such file or directory: 'README'"), undefined);
  assert.equal(hintOf("error: command 'gcc' failed with exit status 1"), undefined);
});
