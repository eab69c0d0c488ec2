import type { LookupAddress } from 'node:dns';
import { connect, type LookupFunction, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Target } from './decision.ts';

/** A proxy that this machine must use to reach the internet, as `HTTPS_PROXY` and `NO_PROXY` name it. */
export interface CompanyProxy {
  /** `http://` or `https://`, perhaps with credentials. */
  readonly url: string;
  /** Host names that are reached without it, with what is below them; `*` for all. */
  readonly except: readonly string[];
}

/**
 * Connects to a target at the addresses that were decided on, the next one when one does not answer. Without addresses (of
 * configured hosts only) the company's proxy is asked for the name. Rejects with an error for people in `message`.
 */
export type Dial = (target: Target, addresses: readonly LookupAddress[], signal: AbortSignal) => Promise<Socket>;

const ANSWER_BYTES = 16 * 1024;

/** Whether a target is reached through the proxy. */
export function goesVia(proxy: CompanyProxy | undefined, { host, port }: Target): proxy is CompanyProxy {
  if (!proxy) return false;
  return !proxy.except.some((entry) => {
    const name = entry.replace(/^\*?\./, '').toLowerCase();
    return name === '*' || name === host || name === `${host}:${port}` || (name !== '' && host.endsWith(`.${name}`));
  });
}

/** Makes the function that connects; `connectMs` is for everything until the target can be spoken to. */
export function dialer(connectMs: number, proxy?: CompanyProxy): Dial {
  return async (target, addresses, signal) => {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(connectMs)]);
    if (!goesVia(proxy, target)) return opened(connect({ ...target, ...to(addresses), allowHalfOpen: true, signal: limit }), limit);
    // by address where there is one: another answer to the name must not lead elsewhere from there
    const socket = await opened(toProxy(proxy), limit);
    return askFor({ host: addresses[0]?.address ?? target.host, port: target.port }, socket, proxy, limit);
  };
}

/** Nothing but these addresses, whatever the name may mean by now. */
function to(addresses: readonly LookupAddress[]): { lookup: LookupFunction; autoSelectFamily: true } {
  const lookup: LookupFunction = (_name, options, done) => {
    const [first] = addresses;
    if (options.all) done(null, [...addresses]);
    else done(null, first?.address ?? '', first?.family);
  };
  return { lookup, autoSelectFamily: true };
}

function toProxy({ url }: CompanyProxy): Socket {
  const { protocol, hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  if (protocol === 'https:') return connectTls({ host, port: Number(port || 443), servername: host });
  return connect({ host, port: Number(port || 80), allowHalfOpen: true });
}

/** Resolves when the socket can be written to; destroys it when that does not come about. */
function opened(socket: Socket, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const done = (error?: Error): void => {
      signal.removeEventListener('abort', abort);
      socket.off('error', done);
      socket.on('error', () => {}); // what may come of it later is told by its close
      if (!error) return resolve(socket);
      socket.destroy();
      reject(signal.aborted ? new Error('The host does not answer.') : error);
    };
    const abort = (): void => done(new Error('aborted'));
    signal.addEventListener('abort', abort, { once: true });
    socket.once('error', done);
    socket.once('encrypted' in socket ? 'secureConnect' : 'connect', () => done());
  });
}

/** CONNECT (RFC 9110 §9.3.6) at the company's proxy. */
function askFor(target: Target, socket: Socket, { url }: CompanyProxy, signal: AbortSignal): Promise<Socket> {
  const { username, password } = new URL(url);
  const pair = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
  const authority = target.host.includes(':') ? `[${target.host}]:${target.port}` : `${target.host}:${target.port}`;
  const credentials = username || password ? `Proxy-Authorization: Basic ${pair}\r\n` : '';
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${credentials}\r\n`);
  return new Promise((resolve, reject) => {
    let answer = Buffer.alloc(0);
    const end = (error?: Error): void => {
      signal.removeEventListener('abort', abort);
      socket.off('error', end).off('end', gone).off('data', read);
      socket.pause();
      if (!error) return resolve(socket);
      socket.on('error', () => {}).destroy();
      reject(error);
    };
    const abort = (): void => end(new Error("The company's proxy does not answer."));
    const gone = (): void => end(new Error("The company's proxy closed the connection."));
    const read = (data: Buffer): void => {
      answer = Buffer.concat([answer, data]);
      const length = answer.indexOf('\r\n\r\n');
      if (length < 0) return answer.length > ANSWER_BYTES ? gone() : undefined;
      const status = /^HTTP\/1\.[01] (\d{3})/.exec(answer.subarray(0, length).toString('latin1'))?.[1] ?? '';
      if (!status.startsWith('2')) return end(new Error(`The company's proxy refuses it (${status || 'no HTTP'}).`));
      end();
      if (answer.length > length + 4) socket.unshift(answer.subarray(length + 4));
    };
    signal.addEventListener('abort', abort, { once: true });
    socket.once('error', end).once('end', gone).on('data', read);
  });
}
