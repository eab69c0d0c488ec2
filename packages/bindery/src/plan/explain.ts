import type { BuildPlan, Step } from '../contracts/plan.ts';

/** One line of a plan for people: what will be done, and why. */
export interface PlanLine {
  readonly what: string;
  readonly because: string;
  /** Particulars, one a line: packages, constraints, options. */
  readonly details: readonly string[];
}

/** A plan as sentences, in the order in which it is carried out. */
export function explainPlan(plan: BuildPlan): PlanLine[] {
  const { requires, prefer, because } = plan.base.python;
  const version =
    prefer === 'newest' ? (requires === '' ? 'the newest Python' : `the newest Python that is ${requires}`) : `Python ${prefer}`;
  return [
    { what: version, because, details: [] },
    ...(plan.asOf === undefined ? [] : [{ what: `packages as they were on ${plan.asOf.slice(0, 10)}`, because: 'asked for', details: [] }]),
    ...plan.steps.map((step) => ({ what: titleOf(step), because: step.because, details: detailsOf(step) })),
    ...Object.entries(plan.env).map(([name, value]) => ({
      what: `set ${name}`,
      because: 'the environment file says so',
      details: [value],
    })),
    ...(plan.start === undefined
      ? []
      : [{ what: `start the server through ${plan.start}`, because: `${plan.start} is there`, details: [] }]),
    { what: LAYOUTS[plan.layout], because: plan.layoutBecause, details: [] },
  ];
}

const LAYOUTS: Readonly<Record<BuildPlan['layout'], string>> = {
  auto: 'one environment for kernels, the server apart unless a package extends it',
  joint: 'one environment for server and kernels',
  split: 'one environment for kernels, the server apart',
};

function titleOf(step: Step): string {
  switch (step.uses) {
    case 'python':
      return `install ${counted(step.requirements.length, 'requirement')} from the package index`;
    case 'locked-python':
      return `install ${counted(step.requirements.length, 'package')} exactly as locked`;
    case 'local':
      return `install ${step.path === '.' ? 'the repository itself' : step.path}${step.editable ? ', editable' : ''}`;
    case 'conda':
      return `install ${counted(step.specs.length, 'conda package')} from ${step.from === 'pypi' ? 'PyPI' : step.channels.join(', ')}`;
    case 'apt':
      return `install ${counted(step.packages.length, 'Debian package')}`;
    case 'run':
      return `run ${step.path}`;
  }
  return step satisfies never;
}

function detailsOf(step: Step): readonly string[] {
  switch (step.uses) {
    case 'python':
      return [...step.requirements, ...step.constraints.map((line) => `constrained by ${line}`), ...step.options];
    case 'locked-python':
      return [...step.requirements.map((line) => line.replaceAll(/ --hash=\S+/g, '')), ...(step.options ?? [])];
    case 'conda':
      return step.specs;
    case 'apt':
      return step.packages;
    case 'local':
      return step.extras.map((extra) => `with ${extra}`);
    case 'run':
      return [];
  }
  return step satisfies never;
}

function counted(count: number, what: string): string {
  return `${count} ${count === 1 ? what : `${what}s`}`;
}
