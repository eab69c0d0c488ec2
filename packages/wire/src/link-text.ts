import { BinderyError } from './errors.ts';

/** Longest link, in UTF-16 units. */
const LONGEST = 4096;
const CONTROL = /[\p{Cc}\u2028\u2029\ufeff]/u;

/** The error for text that is no link, with what was meant if that can be told. */
export function badLink(message: string, hint?: string): BinderyError {
  return new BinderyError('link_invalid', message, { hint });
}

/** Text as it may be shown in a message: short, without control characters. */
export function shown(text: string): string {
  const clean = text.toWellFormed().replace(new RegExp(CONTROL, 'gu'), '�');
  return clean.length > 120 ? `${clean.slice(0, 117)}…` : clean;
}

/**
 * The text without white space around it. Refuses what no link holds and what programs behind us could take for something
 * else: control characters (NUL, newline), a leading `-` (an option), and anything over-long.
 */
export function plainText(text: string): string {
  if (text.length > LONGEST) throw badLink(`The link is longer than ${LONGEST} characters.`);
  const trimmed = text.trim();
  if (trimmed === '') throw badLink('The link is empty.');
  if (CONTROL.test(trimmed)) throw badLink(`The link holds a control character: ${shown(trimmed)}`);
  if (!trimmed.isWellFormed()) throw badLink('The link is not well-formed text.');
  if (trimmed.startsWith('-')) throw badLink(`A link cannot begin with a dash: ${shown(trimmed)}`);
  return trimmed;
}

/** Percent-decoded text, checked like any other text from outside. */
export function decoded(text: string): string {
  let plain: string;
  try {
    plain = decodeURIComponent(text);
  } catch {
    throw badLink(`The link has a broken percent escape: ${shown(text)}`);
  }
  if (CONTROL.test(plain)) throw badLink(`The link holds an escaped control character: ${shown(text)}`);
  return plain;
}

/** Each segment percent-encoded; the slashes between them stay. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

/**
 * Checks a branch, tag or commit name by the rules of git-check-ref-format(1), which leave no room for an option,
 * a pattern or a revision expression. Returns it; the empty name means `HEAD`.
 */
export function checkRef(ref: string): string {
  const name = ref.trim();
  if (name === '' || name === '@') return 'HEAD';
  const expression = /[~^:]|@\{|\.\./.exec(name);
  if (expression)
    throw badLink(
      `"${shown(name)}" is a revision expression, not a name.`,
      'Name a branch, a tag or a commit; HEAD is the default branch.',
    );
  const bad =
    name.length > 255 ||
    name.startsWith('-') ||
    name.endsWith('.') ||
    /[\s?*[\\]/.test(name) ||
    CONTROL.test(name) ||
    !name.isWellFormed() ||
    name.split('/').some((part) => part === '' || part.startsWith('.') || part.endsWith('.lock'));
  if (bad) throw badLink(`"${shown(name)}" cannot be the name of a branch, tag or commit.`);
  return name;
}
