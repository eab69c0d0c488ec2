import { STATUS_CODES, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { ERRORS, type ErrorCode } from '@bindery/wire/errors.ts';

/** A whole answer that the proxy gives by itself. Header names keep their case; a value may not hold line breaks. */
export interface Answer {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

/** A failure in the proxy's own words, before it is known whether a person or a program reads it. */
export interface Problem {
  readonly code: ErrorCode;
  readonly status?: number | undefined;
  /** What happened, in one or two sentences. */
  readonly message: string;
  readonly hint?: string | undefined;
  readonly links?: readonly { readonly href: string; readonly text: string }[] | undefined;
  readonly headers?: readonly (readonly [name: string, value: string])[] | undefined;
}

const QUIET: Answer['headers'] = [
  ['Cache-Control', 'no-store'],
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'no-referrer'],
];

/** Any page may read the answer; cookies are never sent along. */
export const ANY_SITE: Answer['headers'] = [['Access-Control-Allow-Origin', '*']];

/** A small page for people, JSON for programs (rule E1). */
export function problemAnswer(problem: Problem, html: boolean): Answer {
  const entry = ERRORS[problem.code];
  const status = problem.status ?? entry.status;
  const hint = problem.hint ?? entry.hint;
  const headers = [...QUIET, ...(problem.headers ?? [])];
  if (html) {
    const policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    headers.push(['Content-Type', 'text/html; charset=utf-8'], ['Content-Security-Policy', policy]);
    return { status, headers, body: page(entry.title, problem.message, hint, problem.links ?? []) };
  }
  headers.push(['Content-Type', 'application/json; charset=utf-8']);
  // Jupyter's own clients show `message` of the top level.
  const error = { code: problem.code, message: problem.message, hint, retryable: entry.retryable };
  return { status, headers, body: `${JSON.stringify({ message: problem.message, error })}\n` };
}

/** An answer without a body. */
export function bare(status: number, headers: Answer['headers'] = []): Answer {
  return { status, headers: [...QUIET, ...headers], body: '' };
}

/** True for a request of a browser that will show the answer as a page. */
export function wantsPage(headers: IncomingHttpHeaders): boolean {
  const mode = headers['sec-fetch-mode'];
  return mode === undefined ? (headers.accept ?? '').includes('text/html') : mode === 'navigate';
}

/** Sends an answer; what is left of the request's body is thrown away, not waited for. */
export function send(res: ServerResponse, answer: Answer): void {
  if (res.headersSent || res.destroyed) {
    res.destroy();
    return;
  }
  const length = Buffer.byteLength(answer.body);
  const headers = answer.headers.flat();
  if (answer.status !== 204) headers.push('Content-Length', String(length));
  res.writeHead(answer.status, headers);
  res.end(answer.body);
}

/** Cuts the connection when the rest of a request's body has not come after so many milliseconds. */
export function cutAfter(req: IncomingMessage, ms: number): void {
  // A request without a body is complete though nobody has read its end: its answer may stream for hours.
  const timer = setTimeout(() => {
    if (!req.complete) req.socket.destroy();
  }, ms).unref();
  req.on('end', () => clearTimeout(timer)).on('close', () => clearTimeout(timer));
}

/** Sends an answer on a connection that asked for an upgrade, and closes it. */
export function sendRaw(socket: Duplex, answer: Answer): void {
  const lines = answer.headers.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const head = `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? 'Error'}\r\n${lines}Connection: close\r\nContent-Length: ${Buffer.byteLength(answer.body)}\r\n\r\n`;
  socket.on('error', () => socket.destroy());
  socket.end(head + answer.body, () => socket.destroy());
}

function page(title: string, message: string, hint: string, links: NonNullable<Problem['links']>): string {
  const list = links.map(({ href, text }) => `<li><a href="${escape(href)}">${escape(text)}</a></li>`).join('');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)} - Bindery</title>
<style>
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 38rem; margin: 12vh auto 2rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; line-height: 1.25; }
a { color: LinkText; }
</style>
</head>
<body>
<main>
<h1>${escape(title)}</h1>
<p>${escape(message)}</p>
<p>${escape(hint)}</p>
${list && `<ul>${list}</ul>`}
</main>
</body>
</html>
`;
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
