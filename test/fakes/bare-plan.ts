import type { BuildPlan } from '../../packages/bindery/src/contracts/plan.ts';
import type { Tree } from '../../packages/bindery/src/contracts/source.ts';

/** The plan of a repository that asks for nothing. */
export const BARE_PLAN: BuildPlan = {
  version: 1,
  epoch: '2026',
  layout: 'auto',
  layoutBecause: 'no file touches the server',
  base: { python: { requires: '', prefer: 'newest', because: 'no file names a version' } },
  steps: [],
  env: {},
  reads: [],
  findings: [],
};

/** A repository without files. */
export const EMPTY_TREE: Tree = {
  id: 'a'.repeat(64),
  committedAt: '2026-01-01T00:00:00.000Z',
  folder: '/nonexistent',
  read: async () => undefined,
  async *list() {},
};
