import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { PlanView } from '@bindery/wire/api.ts';
import { planText } from './plan-text.ts';
import { plain } from './terminal.ts';

const view: PlanView = {
  link: { provider: 'gh', spec: 'user/repo/v1', open: { kind: 'default' } },
  source: { provider: 'gh', slug: 'user/repo', url: 'https://github.com/user/repo', ref: 'a'.repeat(40), branch: 'v1' },
  planId: 'b'.repeat(64),
  plan: {
    epoch: '2026',
    layout: 'auto',
    layoutBecause: 'Nothing here touches the server',
    base: { python: { requires: '>=3.9', prefer: 'newest', because: 'pyproject.toml asks for it' } },
    steps: [
      {
        uses: 'python',
        because: 'The file lists packages',
        inputs: ['requirements.txt'],
        requirements: Array.from({ length: 10 }, (_, index) => `p${index}`),
      },
      { uses: 'run', because: 'The repository wants it run once', inputs: ['postBuild'], path: 'postBuild' },
    ],
    start: 'start',
    env: { A: 'b' },
    reads: ['requirements.txt'],
    findings: [{ file: 'apt.txt', pack: 'apt', effect: 'unsupported', why: 'not here' }],
  },
};

describe('a plan for people', () => {
  it('gives every line its reason', () => {
    const text = planText(view, plain);
    for (const wanted of [
      'user/repo at v1\n',
      'Python    the newest that meets >=3.9\n            pyproject.toml asks for it',
      'Layout    auto\n            Nothing here touches the server',
      'Step 1    python p0, p1, p2, p3, p4, p5, p6, p7 and 2 more  (requirements.txt)\n            The file lists packages',
      'Step 2    run postBuild  (postBuild)',
      'Start     start',
      'Variable  A=b',
      'Only requirements.txt decides what is built',
      '! apt.txt\n            not here',
    ])
      assert.ok(text.includes(wanted), `${wanted}\nis not in\n${text}`);
  });

  it('says when any file may matter, or none does', () => {
    assert.match(planText({ ...view, plan: { ...view.plan, reads: 'tree' } }, plain), /may read any file/);
    assert.match(planText({ ...view, plan: { ...view.plan, reads: [] } }, plain), /No file decides/);
  });
});
