/** What is wrong with a line, and where in it (from 0). */
export class SyntaxProblem extends Error {
  readonly at: number;
  readonly hint: string | undefined;

  constructor(message: string, at: number, hint?: string) {
    super(message);
    this.name = 'SyntaxProblem';
    this.at = at;
    this.hint = hint;
  }

  /** The same problem, seen in a text in which this one begins further on. */
  shifted(by: number): SyntaxProblem {
    return new SyntaxProblem(this.message, this.at + by, this.hint);
  }
}

/** Reads tokens, given as sticky expressions; white space between them does not count. */
export class Scanner {
  readonly #text: string;
  at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#skip();
  }

  get done(): boolean {
    return this.at >= this.#text.length;
  }

  get rest(): string {
    return this.#text.slice(this.at);
  }

  sees(token: RegExp): boolean {
    token.lastIndex = this.at;
    return token.test(this.#text);
  }

  take(token: RegExp): string | undefined {
    token.lastIndex = this.at;
    const match = token.exec(this.#text);
    if (!match) return undefined;
    this.at += match[0].length;
    this.#skip();
    return match[0];
  }

  #skip(): void {
    while (this.at < this.#text.length && /\s/.test(this.#text.charAt(this.at))) this.at++;
  }
}
