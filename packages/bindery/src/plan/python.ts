import type { Part } from '../contracts/pack.ts';
import type { Epoch, PythonBase } from '../contracts/plan.ts';
import { choiceAt, classicChoice } from '../formats/python-version.ts';

/** Which interpreter to prefer among those the files allow: the epoch's rule, unless one was asked for in place of all that. */
export function settlePython(
  parts: readonly Part[],
  choices: { readonly epoch: Epoch; readonly asOf: string | undefined; readonly python?: string | undefined },
): PythonBase {
  const given = parts.find((part) => part.python !== undefined)?.python ?? {
    requires: '',
    prefer: 'newest',
    because: 'no file names a version',
  };
  if (choices.python !== undefined) {
    const instead = given.requires === '' ? '' : `, in place of ${given.because}`;
    return { requires: `==${choices.python}.*`, prefer: 'newest', because: `it was asked for${instead}` };
  }
  if (given.prefer !== 'newest') return given;
  if (choices.epoch === 'repo2docker') {
    const prefer = classicChoice(given.requires);
    return prefer === undefined ? given : { ...given, prefer, because: `${given.because}; repo2docker's choice is ${prefer}` };
  }
  const then = choices.asOf === undefined ? undefined : choiceAt(given.requires, Date.parse(choices.asOf));
  if (then === undefined) return given;
  return { ...given, prefer: then, because: `${given.because}; ${then} was the one in use on ${choices.asOf?.slice(0, 10)}` };
}
