import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, copyFile, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { createRequire, registerHooks } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type * as Y from 'yjs';
import { SHARED_CACHE } from '../real-hub.ts';

/** The client as its makers published it, with the sum of what npm serves. What it needs is in the lock below `needs/`. */
const VERSION = '5.0.4';
const SUM = 'eOCUJGJ0hEfTsSt9RF38qKuhQGu6stgfdx5fPP3ajbfXiEYcR8M31Lj/c5Phzv5hLQdNCrjEHnIQNz7IaMc7oQ==';
const HERE = import.meta.dirname;

/** Of each there may be one only, or documents of the one are none to the other. */
const ONCE = /^(?:yjs|lib0|y-protocols)(?:\/|$)/;
/** What of JupyterLab is a user interface. */
const STANDING_IN = new Set(['@jupyterlab/apputils', '@jupyterlab/translation']);

export interface SharedModel {
  readonly ydoc: Y.Doc;
  readonly awareness: { getStates(): Map<number, Record<string, unknown>>; setLocalStateField(name: string, value: unknown): void };
  readonly isDisposed: boolean;
  getState(name: string): unknown;
  dispose(): void;
}
export interface SharedNotebook extends SharedModel {
  readonly cells: readonly { readonly source: string; setSource(source: string): void; getId(): string; toJSON(): { outputs?: unknown } }[];
  addCell(cell: { cell_type: string; source: string }): void;
}

interface Drive {
  rename(from: string, to: string): Promise<{ path: string }>;
  get(path: string, options: object): Promise<unknown>;
}
export interface ContentProvider {
  readonly sharedModelFactory: {
    registerDocumentFactory(type: string, make: () => SharedModel): void;
    createNew(options: { path: string; format: string; contentType: string; collaborative: boolean }): SharedModel;
  };
  readonly providers: Map<string, { readonly ready: Promise<void>; save(): Promise<void> }>;
  readonly fileChanged: { connect(heard: (sender: unknown, change: { type: string; newValue: { path?: string } }) => void): void };
  save(path: string, options: { format: string; type: string }): Promise<{ path: string }>;
  get(path: string, options: { format: string; type: string }): Promise<{ path: string }>;
}

/** What is used of it: classes as they are published. */
export interface Docprovider {
  readonly RtcContentProvider: new (options: Record<string, unknown>) => ContentProvider;
  readonly WebSocketProvider: new (options: Record<string, unknown>) => { readonly ready: Promise<void>; save(): Promise<void> };
  readonly WebSocketAwarenessProvider: new (options: Record<string, unknown>) => { dispose(): void };
  readonly NotebookCellServerExecutor: new (options: object) => { runCell(options: Record<string, unknown>): Promise<boolean> };
  readonly YNotebook: new () => SharedNotebook;
  readonly YFile: new () => SharedModel & { source: string };
  readonly Drive: new (options: object) => Drive;
  readonly Signal: new (sender: object) => object;
  readonly makeSettings: (options: object) => object;
}

/** `@jupyter/docprovider` and `@jupyter/ydoc`, unmodified, with JupyterLab's services, loaded by Node. Only dialogs are stood in for. */
export async function publishedDocprovider(): Promise<Docprovider> {
  const folder = await installed();
  const needs = createRequire(join(folder, 'package.json'));
  registerHooks({
    resolve(specifier, context, next) {
      const isOurs = context.parentURL?.startsWith(pathToFileURL(folder).href) === true;
      if (!isOurs) return next(specifier, context);
      if (STANDING_IN.has(specifier)) return { url: pathToFileURL(join(HERE, 'dialogs.ts')).href, shortCircuit: true };
      if (ONCE.test(specifier)) return { ...next(specifier, { ...context, conditions: ['node', 'import'] }), format: 'module' };
      const isDocprovider = context.parentURL?.includes('/@jupyter/docprovider/') === true;
      // Written for bundlers, it says neither that its files are modules nor how they end.
      if (isDocprovider && specifier.startsWith('.')) return { ...next(`${specifier}.js`, context), format: 'module' };
      return next(specifier, context);
    },
  });
  const part = async <T>(name: string): Promise<T> =>
    (await import(pathToFileURL(join(folder, `node_modules/@jupyter/docprovider/lib/${name}.js`)).href)) as T;
  const services = needs('@jupyterlab/services') as {
    Drive: Docprovider['Drive'];
    ServerConnection: { makeSettings: Docprovider['makeSettings'] };
  };
  const { YNotebook, YFile } = needs('@jupyter/ydoc') as Pick<Docprovider, 'YNotebook' | 'YFile'>;
  const { Signal } = needs('@lumino/signaling') as Pick<Docprovider, 'Signal'>;
  const [drive, provider, awareness, executor] = await Promise.all([
    part<Pick<Docprovider, 'RtcContentProvider'>>('ydrive'),
    part<Pick<Docprovider, 'WebSocketProvider'>>('yprovider'),
    part<Pick<Docprovider, 'WebSocketAwarenessProvider'>>('awareness'),
    part<Pick<Docprovider, 'NotebookCellServerExecutor'>>('notebookCellExecutor'),
  ]);
  // The page that it takes for granted.
  Object.assign(globalThis, { window: globalThis });
  return {
    ...drive,
    ...provider,
    ...awareness,
    ...executor,
    YNotebook,
    YFile,
    Signal,
    Drive: services.Drive,
    makeSettings: services.ServerConnection.makeSettings,
  };
}

/** The folder with all of it, made once for all tests. */
async function installed(): Promise<string> {
  const lock = await readFile(join(HERE, 'needs/package-lock.json'));
  const folder = join(SHARED_CACHE, `docprovider-${createHash('sha256').update(lock).update(VERSION).digest('hex').slice(0, 16)}`);
  const isThere = await access(folder).then(
    () => true,
    () => false,
  );
  if (isThere) return folder;
  const made = `${folder}.${process.pid}`;
  await mkdir(made, { recursive: true });
  for (const name of ['package.json', 'package-lock.json']) await copyFile(join(HERE, 'needs', name), join(made, name));
  const run = promisify(execFile);
  await run('npm', ['ci', '--ignore-scripts', '--omit=optional', '--omit=peer', '--silent'], { cwd: made });
  await run('npm', ['pack', '--silent', `@jupyter/docprovider@${VERSION}`], { cwd: made });
  const file = join(made, `jupyter-docprovider-${VERSION}.tgz`);
  assert.equal(
    createHash('sha512')
      .update(await readFile(file))
      .digest('base64'),
    SUM,
  );
  const place = join(made, 'node_modules/@jupyter/docprovider');
  await mkdir(place);
  await run('tar', ['xzf', file, '-C', place, '--strip-components=1']);
  await mkdir(dirname(folder), { recursive: true });
  await rename(made, folder).catch(() => rm(made, { recursive: true, force: true }));
  return folder;
}
