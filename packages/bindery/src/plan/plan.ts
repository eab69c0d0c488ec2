import { BinderyError } from '@bindery/wire/errors.ts';
import type { LaunchOptions } from '@bindery/wire/api.ts';
import type { Finding } from '@bindery/wire/events.ts';
import type { Digest } from '@bindery/wire/ids.ts';
import { canonicalJson, digestOf } from '../base/canonical.ts';
import type { Context } from '../contracts/context.ts';
import type { PackOptions, Part } from '../contracts/pack.ts';
import type { BuildPlan, Epoch } from '../contracts/plan.ts';
import type { Tree } from '../contracts/source.ts';
import { printable } from '../formats/text.ts';
import { asOfInstant } from './as-of.ts';
import { settleLayout } from './layout.ts';
import { RecordingTree, openFiles } from './plan-tree.ts';
import { settlePython } from './python.ts';

/** What planning needs of a launch's context. */
export type PlanContext = Pick<Context, 'clock' | 'emit' | 'packs' | 'plans'> & { readonly engine: Pick<Context['engine'], 'lacks'> };

/**
 * What does a tree need? Every pack looks at the files and says its part; the parts make one plan.
 * The same files and options give the same plan. Throws `file_invalid`, `plan_conflict`, and with `strict` `plan_unsupported`.
 */
export async function makePlan(tree: Tree, options: LaunchOptions, ctx: PlanContext): Promise<BuildPlan> {
  const since = ctx.clock.monotonic();
  ctx.emit({ phase: 'planning', kind: 'begin', message: 'Reading the environment files' });
  const asOf = asOfInstant(options.asOf, tree.committedAt);
  const epoch = options.epoch ?? '2026';
  const choices = {
    asOf,
    epoch,
    conda: options.conda ?? 'channels',
    layout: options.layout ?? 'auto',
    python: options.python,
    skipPostBuild: options.skipPostBuild,
  };
  const key = canonicalJson([tree.id, choices]);
  const known = ctx.plans?.get(key);
  const plan = known ?? (await compose(tree, choices, ctx));
  ctx.plans?.set(key, plan);
  if (options.strict === true) refuseUnsupported(plan.findings);
  const message = summary(plan);
  ctx.emit({
    phase: 'planning',
    kind: 'done',
    message,
    ms: ctx.clock.monotonic() - since,
    cached: known !== undefined,
    findings: [...plan.findings],
  });
  return plan;
}

/** Names a plan by what it makes the builder do: nothing said to people, and no place where it was said, is in it. */
export function planId(plan: BuildPlan): Digest {
  const steps = plan.steps.map((step) => ({ ...step, because: undefined, inputs: undefined }));
  const { requires, prefer } = plan.base.python;
  const { version, epoch, layout, start, env, asOf } = plan;
  return digestOf({ version, epoch, layout, requires, prefer, steps, start, env, asOf, usesTree: plan.reads === 'tree' });
}

interface Choices extends PackOptions {
  readonly asOf: string | undefined;
  readonly epoch: Epoch;
  readonly layout: BuildPlan['layout'];
}

async function compose(tree: Tree, choices: Choices, ctx: Pick<PlanContext, 'engine' | 'packs'>): Promise<BuildPlan> {
  const files = await openFiles(tree);
  const reads = new Set<string>();
  const parts: Part[] = [];
  for (const pack of ctx.packs) {
    const view = new RecordingTree(files);
    if (pack.detect(view).length === 0) continue;
    const part = await pack.plan(view, choices);
    parts.push(part);
    if (contributes(part)) for (const path of view.reads) reads.add(path);
  }
  const start = parts.find((part) => part.start !== undefined)?.start;
  return deepFreeze({
    version: 1,
    epoch: choices.epoch,
    ...settleLayout(parts, choices.layout),
    base: { python: settlePython(parts, choices) },
    steps: parts.flatMap((part) => part.steps),
    ...(start === undefined ? {} : { start }),
    env: Object.assign({}, ...parts.map((part) => part.env ?? {})) as Record<string, string>,
    reads: parts.some((part) => part.contentDependent === true) ? 'tree' : [...reads].toSorted(),
    ...(choices.asOf === undefined ? {} : { asOf: choices.asOf }),
    findings: findingsOf(parts, ctx.engine.lacks ?? {}),
  });
}

/**
 * What becomes of each file: what the packs say, where one uses it not that another does not; and what the engine leaves out. This is the
 * one part of a plan that an engine has a say in, and no part of its id.
 */
function findingsOf(parts: readonly Part[], lacks: NonNullable<PlanContext['engine']['lacks']>): Finding[] {
  const findings = parts.flatMap((part) => part.findings);
  const user = new Map(findings.filter(({ effect }) => effect === 'used').map(({ file, pack }) => [file, pack]));
  const left = new Map(
    parts.flatMap((part) => part.steps).flatMap((step) => (lacks[step.uses] === undefined ? [] : [[step.inputs[0], lacks[step.uses]]])),
  );
  return findings
    .filter(({ file, pack, effect }) => effect !== 'ignored' || (user.get(file) ?? pack) === pack)
    .map((finding) => ({ ...finding, ...notApplied(finding, left.get(finding.file)) }))
    .map((finding) => ({ ...finding, why: printable(finding.why, 2000) }));
}

function notApplied({ effect, why }: Finding, reason: string | undefined): Pick<Finding, 'effect' | 'why'> {
  return reason === undefined || effect !== 'used' ? { effect, why } : { effect: 'unsupported', why: `${why}: not applied. ${reason}` };
}

/** A part that only reports changes nothing, so what it read does not matter. */
function contributes(part: Part): boolean {
  return (
    part.steps.length > 0 || part.python !== undefined || part.start !== undefined || part.env !== undefined || part.joint !== undefined
  );
}

function refuseUnsupported(findings: readonly Finding[]): void {
  const unsupported = findings.filter((finding) => finding.effect === 'unsupported');
  if (unsupported.length === 0) return;
  const list = unsupported.map((finding) => `${finding.file}: ${finding.why}`).join('; ');
  throw new BinderyError('plan_unsupported', `Not everything the repository asks for can be given. ${list}`);
}

function summary(plan: BuildPlan): string {
  const filesOf = (wanted: Finding['effect']): string[] => [
    ...new Set(plan.findings.filter(({ effect }) => effect === wanted).map(({ file }) => file)),
  ];
  const [used, unsupported] = [filesOf('used'), filesOf('unsupported')];
  const from =
    used.length > 0
      ? `Environment from ${used.join(', ')}`
      : unsupported.length > 0
        ? 'A plain kernel'
        : 'No environment files: a plain kernel';
  const without = unsupported.length > 0 ? `; not applied: ${unsupported.join(', ')}` : '';
  return `${from}${without}${plan.reads === 'tree' ? "; the build reads the repository's files" : ''}`;
}

function deepFreeze<T>(value: T): T {
  if (value !== null && typeof value === 'object' && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) deepFreeze(member);
  }
  return value;
}
