import type { PlanView } from '@bindery/wire/api.ts';
import type { Finding } from '@bindery/wire/events.ts';
import { describeLink } from '@bindery/wire/link.ts';
import { tame, type Paint } from './terminal.ts';

const MARKS: Readonly<Record<Finding['effect'], readonly ['green' | 'dim' | 'yellow', string]>> = {
  used: ['green', '✓'],
  ignored: ['dim', '–'],
  unsupported: ['yellow', '!'],
};

/** A plan for people: what would be installed and run, each line with its reason. */
export function planText(view: PlanView, paint: Paint): string {
  const { plan, source } = view;
  const python = plan.base.python;
  const wanted = python.prefer === 'newest' ? `the newest${python.requires === '' ? '' : ` that meets ${python.requires}`}` : python.prefer;
  const facts: [string, string, string][] = [
    ['Python', wanted, python.because],
    ['Layout', plan.layout, plan.layoutBecause],
    ...(plan.asOf === undefined ? [] : [['Packages', `as of ${plan.asOf}`, 'asked for'] satisfies [string, string, string]]),
    ...plan.steps.map((step, index): [string, string, string] => [`Step ${index + 1}`, stepText(step), step.because]),
    ...(plan.start === undefined ? [] : [['Start', plan.start, 'runs before the server'] satisfies [string, string, string]]),
    ...Object.entries(plan.env).map(([name, value]): [string, string, string] => ['Variable', `${name}=${value}`, 'set in every session']),
  ];
  return [
    paint('bold', describeLink(view.link)),
    `  commit    ${source.ref}${source.branch === undefined ? '' : ` (${tame(source.branch)})`}`,
    `  plan      ${view.planId}`,
    '',
    ...facts.map(([what, value, why]) => `  ${what.padEnd(9)} ${tame(value)}\n${' '.repeat(12)}${paint('dim', tame(why))}`),
    '',
    `  ${readsText(plan.reads)}`,
    ...(plan.findings.length === 0 ? [] : ['', '  Files', ...plan.findings.map((finding) => findingLine(finding, paint))]),
    '',
  ].join('\n');
}

function findingLine(finding: Finding, paint: Paint): string {
  const [style, mark] = MARKS[finding.effect];
  return `    ${paint(style, mark)} ${tame(finding.file)}\n${' '.repeat(12)}${paint('dim', tame(finding.why))}`;
}

/** What one step does, with the first of its packages. */
function stepText(step: PlanView['plan']['steps'][number]): string {
  const words = ['requirements', 'specs', 'packages'].flatMap((name) => (Array.isArray(step[name]) ? step[name].map(String) : []));
  const path = typeof step['path'] === 'string' ? ` ${step['path']}` : '';
  const more = words.length > 8 ? ` and ${words.length - 8} more` : '';
  const what = words.length > 0 ? ` ${words.slice(0, 8).join(', ')}${more}` : '';
  return `${step.uses}${path}${what}${step.inputs.length > 0 ? `  (${step.inputs.join(', ')})` : ''}`;
}

function readsText(reads: PlanView['plan']['reads']): string {
  if (reads === 'tree') return 'The build may read any file, so a commit that changes one builds anew.';
  if (reads.length === 0) return 'No file decides what is built: no commit needs a build.';
  return `Only ${reads.map(tame).join(', ')} ${reads.length === 1 ? 'decides' : 'decide'} what is built: a commit that changes other files needs no build.`;
}
