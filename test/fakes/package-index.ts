import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { wheel, type PackageFile } from './package-files.ts';

export interface IndexOptions {
  /** `user:password` that every request must carry. */
  readonly credentials?: string;
  readonly format?: 'json' | 'html';
  /** Answers this status to everything, as long as the function says so. */
  readonly status?: () => number | undefined;
  /** Answers nothing at all, ever. */
  readonly silent?: boolean;
  /** Sends other bytes than those whose hash it lists. */
  readonly corrupt?: (file: string) => boolean;
}

/** A package index (PEP 503 and PEP 691) on loopback. */
export interface FakeIndex extends AsyncDisposable {
  /** Address of the simple API, without credentials. */
  readonly url: string;
  readonly port: number;
  /** Paths asked for, in order. */
  readonly requests: readonly string[];
}

/** What Bindery adds to every environment. */
export const BASICS: readonly PackageFile[] = [
  'ipykernel',
  'pip',
  'setuptools',
  'wheel',
  'jupyterlab',
  'jupyter-server',
  'notebook',
  'jupytext',
].map((name) => wheel(name, '7.0', { uploaded: '2015-01-01T00:00:00Z' }));

export async function startPackageIndex(files: readonly PackageFile[], options: IndexOptions = {}): Promise<FakeIndex> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? '');
    if (!options.silent) answer(request, response, files, options);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/simple`,
    port,
    requests,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(request: IncomingMessage, response: ServerResponse, files: readonly PackageFile[], options: IndexOptions): void {
  const status = options.status?.();
  const expected = options.credentials && `Basic ${Buffer.from(options.credentials).toString('base64')}`;
  const end = (code: number, type: string, body: string | Buffer): void => {
    response.writeHead(code, { 'content-type': type, 'content-length': Buffer.byteLength(body) });
    response.end(body);
  };
  if (status !== undefined) return end(status, 'text/plain', 'out of order');
  if (expected && request.headers.authorization !== expected) {
    response.setHeader('www-authenticate', 'Basic realm="packages"');
    return end(401, 'text/plain', 'who are you?');
  }
  const [, place, name = ''] = (request.url ?? '').split('/');
  if (place === 'files') {
    const found = files.find((file) => file.name === name);
    if (!found) return end(404, 'text/plain', 'no such file');
    return end(200, 'application/octet-stream', options.corrupt?.(name) ? Buffer.concat([found.bytes, Buffer.from('x')]) : found.bytes);
  }
  const own = files.filter((file) => projectOf(file.name) === name);
  if (place !== 'simple' || own.length === 0) return end(404, 'text/plain', 'no such project');
  if (options.format === 'html') return end(200, 'text/html', htmlPage(own));
  return end(200, 'application/vnd.pypi.simple.v1+json', jsonPage(name, own));
}

function projectOf(file: string): string {
  const name = file.endsWith('.whl') ? file.split('-')[0] : file.replace(/-[^-]+$/, '');
  return (name ?? '').replaceAll('_', '-').toLowerCase();
}

function jsonPage(name: string, files: readonly PackageFile[]): string {
  return JSON.stringify({
    meta: { 'api-version': '1.1' },
    name,
    files: files.map((file) => ({
      filename: file.name,
      url: `../../files/${file.name}`,
      hashes: { sha256: file.sha256 },
      size: file.bytes.length,
      ...(file.uploaded === undefined ? {} : { 'upload-time': file.uploaded }),
    })),
  });
}

function htmlPage(files: readonly PackageFile[]): string {
  const links = files.map((file) => `<a href="../../files/${file.name}#sha256=${file.sha256}">${file.name}</a><br>`);
  return `<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.0"></head><body>${links.join('\n')}</body></html>`;
}
