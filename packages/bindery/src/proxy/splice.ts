import { connect, isIP, type Socket } from 'node:net';
import { connect as connectByTls } from 'node:tls';
import type { IncomingMessage } from 'node:http';
import { problemAnswer, sendRaw, type Problem } from './answers.ts';
import { requestHeaders, responseHeaders, type HeaderOrder } from './headers.ts';
import type { Taps } from './activity.ts';
import { parseHead, type AnswerHead } from './head.ts';
import type { Target } from './routes.ts';

/** Sees the bytes of one direction as they pass; never changes them. */
export interface Tap {
  see(chunk: Buffer): void;
}

export interface SpliceOrder extends HeaderOrder {
  readonly path: string;
  /** The session has so many milliseconds to agree to the upgrade. */
  readonly answerMs: number;
  /** Extensions are not offered: the taps could not read compressed messages (rule W4). */
  readonly plain: boolean;
  /** Called when the session has agreed, with the subprotocol it chose. */
  readonly onOpen: (protocol: string | undefined) => Taps;
  readonly onClose: () => void;
}

const MOST_HEAD = 64 * 1024;
const KEEP_ALIVE_MS = 60_000;
/** A refusal whose length is not said ends after so long a silence. */
const REFUSAL_MS = 2000;

/** Hands an upgrade to the session and joins the two connections byte by byte, without taking frames apart (rules W1-W6). Returns a way to end it. */
export function splice(req: IncomingMessage, client: Socket, head: Buffer, order: SpliceOrder): () => void {
  const session = connectTo(order.route.target);
  session.write(upgradeHead(req, order), 'latin1');
  if (head.length > 0) client.unshift(head);
  new Negotiation(client, session, order).begin();
  return ender(client, session);
}

function connectTo(target: Target): Socket {
  if ('socketPath' in target) return connect({ path: target.socketPath });
  const { host, port } = target;
  return target.tls === true ? connectByTls({ host, port, ...(isIP(host) ? {} : { servername: host }) }) : connect({ host, port });
}

/** Made apart, so that an open connection keeps nothing of its request alive. */
function ender(client: Socket, session: Socket): () => void {
  return () => {
    client.destroy();
    session.destroy();
  };
}

function upgradeHead(req: IncomingMessage, order: SpliceOrder): string {
  const headers = requestHeaders(req, order);
  const lines = [`GET ${order.path} HTTP/1.1`];
  for (let index = 0; index < headers.length; index += 2) {
    if (order.plain && /^sec-websocket-extensions$/i.test(headers[index] ?? '')) continue;
    lines.push(`${headers[index]}: ${headers[index + 1]}`);
  }
  return `${lines.join('\r\n')}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;
}

/** The time between the request and the session's answer. */
class Negotiation {
  readonly #client: Socket;
  readonly #session: Socket;
  readonly #order: SpliceOrder;
  #received: Buffer = Buffer.alloc(0);
  #settled = false;

  constructor(client: Socket, session: Socket, order: SpliceOrder) {
    this.#client = client;
    this.#session = session;
    this.#order = order;
  }

  begin(): void {
    const session = this.#session;
    const timer = setTimeout(
      () => this.#refuse({ code: 'session_timeout', message: 'The notebook server did not answer in time.' }),
      this.#order.answerMs,
    );
    const unreachable: Problem = { code: 'session_unreachable', message: 'The notebook server of this session can not be reached.' };
    const onData = (chunk: Buffer): void => this.#onData(chunk);
    const onFault = (): void => this.#refuse(unreachable);
    const onGone = (): void => {
      session.destroy();
      onFault();
    };
    session.on('data', onData).on('error', onFault).on('close', onFault);
    this.#client.on('error', onGone).on('close', onGone);
    this.#settle = () => {
      this.#settled = true;
      clearTimeout(timer);
      session.off('data', onData).off('error', onFault).off('close', onFault);
      this.#client.off('error', onGone).off('close', onGone);
    };
  }

  #settle: () => void = () => undefined;

  #refuse(problem: Problem): void {
    if (this.#settled) return;
    this.#settle();
    this.#session.on('error', () => undefined).destroy();
    sendRaw(this.#client, problemAnswer(problem, false));
    this.#order.onClose();
  }

  #onData(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const end = this.#received.indexOf('\r\n\r\n');
    const broken: Problem = { code: 'session_unreachable', message: 'The notebook server of this session did not answer as HTTP asks.' };
    if (end < 0) {
      if (this.#received.length > MOST_HEAD) this.#refuse(broken);
      return;
    }
    const answer = parseHead(this.#received.toString('latin1', 0, end));
    if (!answer) return this.#refuse(broken);
    if (answer.status < 200 && answer.status !== 101) {
      this.#received = this.#received.subarray(end + 4);
      return this.#received.length > 0 ? this.#onData(Buffer.alloc(0)) : undefined;
    }
    this.#settle();
    const rest = this.#received.subarray(end + 4);
    if (answer.status === 101) this.#open(answer, rest);
    else this.#relay(answer, rest);
  }

  #open(answer: AnswerHead, rest: Buffer): void {
    const taps = this.#order.onOpen(answer.headers['sec-websocket-protocol']?.toString());
    const lines = headLines(answer, this.#order);
    this.#client.write(`${lines}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`, 'latin1');
    if (rest.length > 0) this.#session.unshift(rest);
    join(this.#client, this.#session, taps, this.#order.onClose);
  }

  /** An answer other than 101 goes to the client as it is, and then both connections end (rule W3). Nothing of the client's follows it. */
  #relay(answer: AnswerHead, rest: Buffer): void {
    const [client, session] = [this.#client, this.#session];
    const { 'transfer-encoding': coding, 'content-length': length } = answer.headers;
    const framing = coding === undefined ? '' : `Transfer-Encoding: ${coding.toString()}\r\n`;
    client.write(`${headLines(answer, this.#order)}${framing}Connection: close\r\n\r\n`, 'latin1');
    let left = coding === undefined && length !== undefined ? Number(length) : Infinity;
    const done = (): void => {
      session.destroy();
      client.end(() => client.destroy());
    };
    session.setTimeout(REFUSAL_MS, done).on('error', done).on('end', done).on('close', this.#order.onClose);
    client.on('error', () => session.destroy()).on('close', () => session.destroy());
    session.on('data', (chunk: Buffer) => {
      client.write(chunk.subarray(0, left));
      left -= chunk.length;
      if (left <= 0) done();
    });
    if (left <= 0) done();
    else if (rest.length > 0) session.unshift(rest);
  }
}

function headLines(answer: AnswerHead, order: SpliceOrder): string {
  const headers = responseHeaders(answer.headers, order, false);
  let lines = `HTTP/1.1 ${answer.status} ${answer.reason}\r\n`;
  for (let index = 0; index < headers.length; index += 2) lines += `${headers[index]}: ${headers[index + 1]}\r\n`;
  return lines;
}

/** Joins two connections: what one side sends the other gets, with back-pressure; when one ends, both do. */
function join(client: Socket, session: Socket, taps: Taps, onClose: () => void): void {
  client.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS);
  session.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS);
  flow(client, session, taps.toSession);
  flow(session, client, taps.toClient);
  session.once('close', onClose);
}

function flow(from: Socket, to: Socket, tap: Tap | undefined): void {
  let watching = tap;
  from.on('data', (chunk: Buffer) => {
    try {
      watching?.see(chunk);
    } catch {
      // Whatever a stream holds, it passes; it is no longer read.
      watching = undefined;
    }
    if (!to.write(chunk)) from.pause();
  });
  to.on('drain', () => from.resume());
  from.on('end', () => to.destroySoon());
  from.on('error', () => to.destroy());
  from.on('close', () => {
    if (!from.readableEnded) to.destroy();
  });
}
