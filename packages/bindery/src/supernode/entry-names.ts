import { withoutSlashes } from '../base/within.ts';
import { JupyterError } from './jupyter-server.ts';

/** UTF-8 bytes of a name, as file systems have them, and characters of a path. */
const LONGEST_NAME = 255;
const LONGEST_PATH = 4096;
/** Control characters, ends of lines, what stands for something that could not be read, and marks that make a name look like another one. */
const UNSEEN = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffd]/u;

/** The name for something new in a folder: composed (NFC), so that names that look the same are the same. @throws JupyterError 400 */
export function newName(name: string): string {
  const composed = checked(name).normalize('NFC');
  const why = Buffer.byteLength(composed) > LONGEST_NAME ? `has more than ${LONGEST_NAME} bytes` : faultOf(composed);
  if (why) throw new JupyterError(400, `Nothing can be called ${quoted(name)}: the name ${why}. Choose another one.`);
  return composed;
}

/** A name that something in a folder has, whatever it is: it must only lead nowhere else. @throws JupyterError 400 */
export function knownName(name: string): string {
  if (/^(?:\.{0,2}|.*[/\0].*)$/s.test(checked(name))) throw new JupyterError(400, `${quoted(name)} is no name of something in a folder.`);
  return name;
}

/** Where something new is to be, from the root: `to` is a name in the folder, or begins with a slash. @throws JupyterError 400 */
export function newPath(folder: string, to: string): string {
  if (!to.startsWith('/')) return inFolder(folder, newName(to));
  const names = withoutSlashes(to).split('/');
  const path = [...names.slice(0, -1).map(knownName), newName(names.at(-1) ?? '')].join('/');
  if (path.length > LONGEST_PATH) throw new JupyterError(400, `The path has more than ${LONGEST_PATH} characters. Choose a shorter one.`);
  return path;
}

/** The path of a folder, which may be the root. @throws JupyterError 400 */
export function folderPath(folder: string, to: string): string {
  if (to === '') return folder;
  const path = withoutSlashes(to);
  if (path === '') return '';
  const names = path.split('/').map(knownName);
  return to.startsWith('/') ? names.join('/') : inFolder(folder, names.join('/'));
}

export function inFolder(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

/** The folder that a path is in; undefined for the root. */
export function parentOf(path: string): string | undefined {
  return path === '' ? undefined : path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function checked(name: string): string {
  if (!name.isWellFormed()) throw new JupyterError(400, `${quoted(name)} is no Unicode text.`);
  return name;
}

function faultOf(name: string): string | undefined {
  if (name === '') return 'is empty';
  if (name === '.' || name === '..') return 'means a folder';
  if (/[/\\]/.test(name)) return 'has a slash in it';
  if (UNSEEN.test(name)) return 'has characters that nobody sees';
  return name.trim() === name ? undefined : 'begins or ends with a space';
}

function quoted(name: string): string {
  const text = name.toWellFormed().slice(0, 80);
  // What is shown must not do what the name was refused for.
  return JSON.stringify(text.replaceAll(new RegExp(UNSEEN, 'gu'), '\u{fffd}'));
}
