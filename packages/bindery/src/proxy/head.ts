/** The head of an answer on a raw connection. */
export interface AnswerHead {
  readonly status: number;
  readonly reason: string;
  /** Lower-case names; repeated headers keep all their values. */
  readonly headers: NodeJS.Dict<string | string[]>;
}

/** Parses an answer's head strictly: undefined for anything that is not plain HTTP/1.1 without folded lines or stray control characters. */
export function parseHead(text: string): AnswerHead | undefined {
  const [first = '', ...lines] = text.split('\r\n');
  const start = /^HTTP\/1\.[01] ([1-5]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/.exec(first);
  if (!start) return undefined;
  const headers: NodeJS.Dict<string | string[]> = Object.create(null) as NodeJS.Dict<string | string[]>;
  for (const line of lines) {
    const parts = /^([\w!#$%&'*+.^`|~-]+):[\t ]*([\t\x20-\x7e\x80-\xff]*)$/.exec(line);
    if (!parts) return undefined;
    const [, name = '', value = ''] = parts;
    const key = name.toLowerCase();
    const known = headers[key];
    headers[key] = known === undefined ? value.trimEnd() : [known, value.trimEnd()].flat();
  }
  return { status: Number(start[1]), reason: start[2] ?? '', headers };
}
