import { satisfies, validRange } from '@renovatebot/pep440';

/** When each Python came out; which one an old repository is likely to have been written for. Source: the release PEPs (569, 596, 619, …). */
const RELEASES: readonly (readonly [version: string, released: string])[] = [
  ['3.7', '2018-06-27'],
  ['3.8', '2019-10-14'],
  ['3.9', '2020-10-05'],
  ['3.10', '2021-10-04'],
  ['3.11', '2022-10-24'],
  ['3.12', '2023-10-02'],
  ['3.13', '2024-10-07'],
  ['3.14', '2025-10-07'],
];

/** How long packages usually take to come with wheels for a new Python. */
const LAG_MS = 180 * 86_400_000;

/** repo2docker's default, and the versions it chooses from. */
const CLASSIC = '3.10';
const CLASSIC_RANGE = ['3.14', '3.13', '3.12', '3.11', '3.10', '3.9', '3.8'];

/** True when some patch release of `X.Y` meets the specifier. */
export function admits(requires: string, minor: string): boolean {
  if (requires === '') return true;
  return Array.from({ length: 40 }, (_, patch) => `${minor}.${patch}`).some((version) => satisfies(version, requires));
}

/** `X.Y` of Python's that meet the specifier, newest first; empty when none that is known does. */
export function admitted(requires: string): string[] {
  return RELEASES.map(([version]) => version)
    .filter((version) => admits(requires, version))
    .toReversed();
}

/** True for a PEP 440 specifier set, the empty one included. */
export function validSpecifier(text: string): boolean {
  return text.trim() === '' || validRange(text);
}

/** repo2docker's choice: 3.10 where it fits, else the newest that fits, else undefined. */
export function classicChoice(requires: string): string | undefined {
  return admits(requires, CLASSIC) ? CLASSIC : CLASSIC_RANGE.find((version) => admits(requires, version));
}

/** The newest Python that fits and had been out for half a year at an instant, else undefined. */
export function choiceAt(requires: string, at: number): string | undefined {
  return RELEASES.filter(([version, released]) => Date.parse(released) + LAG_MS <= at && admits(requires, version)).at(-1)?.[0];
}
