import { pino, type Logger } from 'pino';

/** The hub's own log: JSON lines on stderr. Secrets never go in; header and token fields are redacted all the same. */
export function makeLog(level: string): Logger {
  return pino(
    { level, base: null, redact: ['*.token', '*.key', '*.authorization', '*.cookie'] },
    pino.destination({ dest: 2, sync: true }),
  );
}

export type { Logger };
