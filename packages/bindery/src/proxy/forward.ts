import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { ANY_SITE, problemAnswer, send, wantsPage, type Problem } from './answers.ts';
import { requestHeaders, responseHeaders, type HeaderOrder } from './headers.ts';

export interface ForwardOrder extends HeaderOrder {
  readonly path: string;
  readonly owner: ExchangeOwner;
}

/** Whoever started exchanges is told of each. */
export interface ExchangeOwner {
  /** The session's side failed. */
  onFault(exchange: Exchange, error: Error): void;
  /** The exchange is over; told once. */
  onEnd(exchange: Exchange): void;
}

/** A body that is no longer than this goes on in one piece, together with the head; so does an answer's. */
const SMALL = 16 * 1024;

/** One request on its way to a session and its answer on the way back, chunk by chunk, with back-pressure both ways. */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly order: ForwardOrder;
  /** Kept by Traffic: where it stands in the list, the bytes moved so far, and when they last moved. */
  place = -1;
  bytes = -1;
  movedAt = 0;
  #controller: Dispatcher.DispatchController | undefined;
  /** Bytes of the answer's body that are still to come, where it says how many. */
  #left = -1;
  /** The answer's last chunk, kept back to go out together with the end. */
  #last: Buffer | undefined;
  #trailers = false;
  #problem: Problem | undefined;
  #done = false;

  constructor(req: IncomingMessage, res: ServerResponse, order: ForwardOrder) {
    this.req = req;
    this.res = res;
    this.order = order;
    res.on('close', () => this.#closed());
  }

  /** Sends the request. Everything after this happens in the callbacks below. */
  start(pool: Dispatcher): void {
    const { req } = this;
    const { 'transfer-encoding': coding, 'content-length': length = '0' } = req.headers;
    if (coding === undefined && length === '0') this.#dispatch(pool, null);
    else if (coding !== undefined || Number(length) > SMALL) this.#dispatch(pool, new RequestBody(req));
    else {
      const chunks: Buffer[] = [];
      req.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => this.res.destroy());
      req.on('end', () => this.#dispatch(pool, Buffer.concat(chunks)));
    }
  }

  #dispatch(pool: Dispatcher, body: Readable | Buffer | null): void {
    if (this.#done || this.res.headersSent) return;
    const { req, order } = this;
    try {
      const headers = requestHeaders(req, order);
      pool.dispatch({ path: order.path, method: req.method ?? 'GET', headers, body, headersTimeout: 0, bodyTimeout: 0 }, this);
    } catch {
      // Raised for what the strict writer does not send on: an odd header or method.
      this.fail({ code: 'request_invalid', message: 'The request is not well formed.', hint: 'Check the headers of the request.' });
    }
  }

  /** Ends the exchange from our side: an answer where none has begun, else a cut. */
  fail(problem: Problem): void {
    this.#problem ??= problem;
    if (this.#controller && !this.#controller.aborted) this.#controller.abort(new Error(problem.message));
    else this.#answer();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#done) controller.abort(new Error('The client has gone.'));
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: NodeJS.Dict<string | string[]>, reason = ''): void {
    const { req, res } = this;
    if (res.destroyed) return;
    if (status < 200) return this.#early(status, headers);
    const length = headers['content-length'];
    this.#left = typeof length === 'string' ? Number(length) : -1;
    const trailers = this.#left < 0 && req.httpVersionMinor > 0 && req.method !== 'HEAD';
    this.#trailers = trailers && headers['trailer'] !== undefined;
    res.sendDate = false;
    res.writeHead(status, reason, responseHeaders(headers, this.order, trailers));
    // Streams show their head at once; anything with a length goes out with its first bytes.
    if (this.#left < 0) res.flushHeaders();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#left === chunk.length) {
      this.#last = chunk;
      return;
    }
    this.#left -= chunk.length;
    if (this.res.write(chunk)) return;
    controller.pause();
    this.res.once('drain', () => controller.resume());
  }

  onResponseEnd(_: Dispatcher.DispatchController, trailers: NodeJS.Dict<string | string[]>): void {
    const { res } = this;
    if (this.#trailers) res.addTrailers(Object.entries(trailers).flatMap(([name, value]) => one(name, value)));
    const last = this.#last;
    // As text it joins the head in one write.
    if (last !== undefined && last.length <= SMALL) res.end(last.toString('latin1'), 'latin1');
    else res.end(last);
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error & { code?: string }): void {
    if (!this.#problem) {
      this.#problem = upstreamProblem(error);
      this.order.owner.onFault(this, error);
    }
    this.#answer();
  }

  #answer(): void {
    const { req, res } = this;
    if (res.headersSent || this.#done) res.destroy();
    else {
      const problem = this.#problem ?? upstreamProblem(new Error());
      // A page of another site may read why its call failed.
      const headers = this.order.form === 'path' ? [...(problem.headers ?? []), ...ANY_SITE] : problem.headers;
      send(res, problemAnswer({ ...problem, headers }, wantsPage(req.headers)));
    }
  }

  /** 103 Early Hints and the like pass (rule S6). */
  #early(status: number, headers: NodeJS.Dict<string | string[]>): void {
    if (this.req.httpVersionMinor === 0) return;
    if (status === 102) this.res.writeProcessing();
    const { link } = headers;
    if (status !== 103 || link === undefined) return;
    try {
      this.res.writeEarlyHints({ link });
    } catch {
      // Node takes well-formed links only; a hint may be left out.
    }
  }

  #closed(): void {
    this.#done = true;
    if (!this.res.writableFinished && this.#controller && !this.#controller.aborted)
      this.#controller.abort(new Error('The client has gone.'));
    this.order.owner.onEnd(this);
  }
}

function one(name: string, value: string | string[] | undefined): [string, string][] {
  return value === undefined ? [] : [value].flat().map((item) => [name, item]);
}

/** What a failure on the session's side means to whoever asked (rule E3). */
function upstreamProblem(error: Error & { code?: string }): Problem {
  const never = ['ECONNREFUSED', 'ENOENT', 'UND_ERR_CONNECT_TIMEOUT', 'EACCES', 'EHOSTUNREACH', 'ENETUNREACH', 'EAGAIN'];
  if (never.includes(error.code ?? ''))
    return {
      code: 'session_unreachable',
      status: 503,
      message: 'The notebook server of this session can not be reached.',
      headers: [['Retry-After', '5']],
    };
  return { code: 'session_unreachable', message: 'The notebook server of this session ended the connection without an answer.' };
}

/** The request's body as a stream of its own: when the session stops reading, the client's connection must live on for the answer. */
class RequestBody extends Readable {
  readonly #req: IncomingMessage;

  constructor(req: IncomingMessage) {
    super();
    this.#req = req;
    req.on('data', (chunk: Buffer) => {
      if (!this.destroyed && !this.push(chunk)) req.pause();
    });
    req.on('end', () => this.push(null));
    req.on('close', () => {
      if (!req.complete) this.destroy(new Error('The client has gone.'));
    });
    req.on('error', (error) => this.destroy(error));
    req.pause();
  }

  override _read(): void {
    this.#req.resume();
  }

  /** What comes after the session has stopped reading is thrown away. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#req.destroyed) this.#req.resume();
    done(error);
  }
}
