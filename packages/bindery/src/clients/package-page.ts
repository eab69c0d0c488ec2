import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { getCACertificates } from 'node:tls';
import { EnvHttpProxyAgent, fetch, type Response } from 'undici';
import { z } from 'zod';
import { BinderyError } from '@bindery/wire/errors.ts';
import { authorized, type IndexSettings } from './package-index.ts';

/** A file of a project, as the index lists it. */
export interface IndexFile {
  readonly name: string;
  /** Absolute, as the index gives it. */
  readonly url: string;
}

const JSON_PAGE = 'application/vnd.pypi.simple.v1+json';
const PageSchema = z.object({ files: z.array(z.object({ filename: z.string(), url: z.string() })) });
const PAGE_BYTES = 64 * 2 ** 20;
const TIMEOUT_MS = 300_000;

/** Reads a package index directly (PEP 503, PEP 691), with the machine's certificates and proxies. `close` it after use. */
export class IndexReader {
  readonly #settings: IndexSettings;
  readonly #agent: EnvHttpProxyAgent;

  private constructor(settings: IndexSettings, agent: EnvHttpProxyAgent) {
    this.#settings = settings;
    this.#agent = agent;
  }

  static async open(settings: IndexSettings): Promise<IndexReader> {
    const { SSL_CERT_FILE, HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY } = settings.environment;
    const own = SSL_CERT_FILE ? await readFile(SSL_CERT_FILE, 'utf8').catch(() => undefined) : undefined;
    const tls = own === undefined ? {} : { ca: [...getCACertificates('default'), own] };
    const httpProxy = HTTP_PROXY ?? ALL_PROXY;
    const httpsProxy = HTTPS_PROXY ?? httpProxy;
    const agent = new EnvHttpProxyAgent({
      httpProxy: httpProxy ?? '',
      httpsProxy: httpsProxy ?? '',
      noProxy: NO_PROXY ?? '',
      connect: { ...tls, timeout: 15_000 },
      requestTls: tls,
      proxyTls: tls,
    });
    return new IndexReader(settings, agent);
  }

  /** Files of a project; undefined where the index has no such project. Throws `index_unreachable`. */
  async files(project: string, signal: AbortSignal): Promise<readonly IndexFile[] | undefined> {
    const response = await this.#get(`${this.#settings.url}/${encodeURIComponent(project)}/`, signal);
    if (response.status === 404) return undefined;
    const body = (await this.#body(response, PAGE_BYTES)).toString('utf8');
    const files = response.headers.get('content-type')?.includes('json') ? jsonFiles(body) : htmlFiles(body);
    if (!files) throw this.#failed('it sent a page that is no package index');
    return files.map((file) => ({ name: file.name, url: new URL(file.url, response.url).href }));
  }

  /** A file's bytes, checked against its sha256. Throws `index_unreachable`. */
  async download(file: IndexFile, sha256: string, maxBytes: number, signal: AbortSignal): Promise<Buffer> {
    const response = await this.#get(file.url, signal);
    if (response.status === 404) throw this.#failed(`${file.name} is listed but not there`);
    const bytes = await this.#body(response, maxBytes);
    const found = createHash('sha256').update(bytes).digest('hex');
    if (found !== sha256)
      throw this.#failed(`${file.name} is not what it should be (sha256 ${found}, expected ${sha256})`, 'A proxy or mirror alters files.');
    return bytes;
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  async #get(address: string, signal: AbortSignal): Promise<Response> {
    const { url, headers } = authorized(this.#sameOrigin(address) ? this.#withIndexCredentials(address) : address);
    let response: Response | undefined;
    for (let attempt = 1; ; attempt++) {
      try {
        response = await fetch(url, {
          dispatcher: this.#agent,
          headers: { ...headers, accept: `${JSON_PAGE}, text/html;q=0.1, */*;q=0.01` },
          signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
        });
      } catch (error) {
        signal.throwIfAborted();
        if (attempt === 3) throw this.#failed(reasonOf(error), undefined, error);
        continue;
      }
      if (response.ok || response.status === 404) return response;
      await response.body?.cancel();
      if (response.status === 401 || response.status === 403)
        throw this.#failed(`it answered ${response.status}`, 'Put user name and password or a token into the address of the index.');
      if (attempt === 3 || response.status < 500) throw this.#failed(`it answered ${response.status}`);
    }
  }

  #sameOrigin(address: string): boolean {
    return new URL(address).host === new URL(this.#settings.url).host;
  }

  #withIndexCredentials(address: string): string {
    const [url, index] = [new URL(address), new URL(this.#settings.url)];
    if (!url.username) [url.username, url.password] = [index.username, index.password];
    return url.href;
  }

  async #body(response: Response, maxBytes: number): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    try {
      for await (const chunk of response.body ?? []) {
        size += (chunk as Uint8Array).length;
        if (size > maxBytes) throw new Error(`more than ${maxBytes} bytes`);
        chunks.push(chunk as Uint8Array);
      }
    } catch (error) {
      throw this.#failed(reasonOf(error), undefined, error);
    }
    return Buffer.concat(chunks);
  }

  #failed(reason: string, hint?: string, cause?: unknown): BinderyError {
    const message = this.#settings.redact(`The package index at ${this.#settings.host} could not be used: ${reason}.`);
    return new BinderyError('index_unreachable', message, { hint, cause });
  }
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (cause instanceof AggregateError) return reasonOf(cause.errors[0]);
  return cause instanceof Error ? cause.message || String((cause as NodeJS.ErrnoException).code) : String(cause);
}

function jsonFiles(body: string): IndexFile[] | undefined {
  try {
    return PageSchema.parse(JSON.parse(body)).files.map((file) => ({ name: file.filename, url: file.url }));
  } catch {
    return undefined;
  }
}

function htmlFiles(body: string): IndexFile[] | undefined {
  if (!/<(?:html|a|body)\b/i.test(body)) return undefined;
  return [...body.matchAll(/<a\b[^>]*?\bhref\s*=\s*["']([^"'#]+)[^>]*>([^<]*)<\/a>/gi)].map((match) => ({
    name: decoded(match[2] ?? '').trim(),
    url: decoded(match[1] ?? ''),
  }));
}

function decoded(text: string): string {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');
}
