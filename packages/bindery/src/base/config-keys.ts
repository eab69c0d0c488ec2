import { z } from 'zod';
import { ConfigSchema } from './config.ts';

/** One setting, as it is told to people; derived from the schema, so that file, environment, flags and reference agree. */
export interface ConfigKey {
  /** Dotted, as `--set` takes it: `python.indexUrl` */
  readonly key: string;
  /** `BINDERY_PYTHON_INDEX_URL` */
  readonly env: string;
  readonly type: 'string' | 'number' | 'boolean' | 'list';
  /** The values it may take, where they are few. */
  readonly choices: readonly string[] | undefined;
  readonly fallback: unknown;
  readonly description: string;
  readonly secret: boolean;
}

const Node = z.looseObject({
  type: z.string().optional(),
  description: z.string().optional(),
  default: z.unknown().optional(),
  enum: z.array(z.string()).optional(),
  secret: z.boolean().optional(),
  properties: z.record(z.string(), z.unknown()).optional(),
  items: z.looseObject({ enum: z.array(z.string()).optional() }).optional(),
});

const TYPES: Readonly<Record<string, ConfigKey['type']>> = { number: 'number', integer: 'number', boolean: 'boolean', array: 'list' };

/** Every setting there is, in the schema's order. */
export function configKeys(): ConfigKey[] {
  return [...leaves(z.toJSONSchema(ConfigSchema, { io: 'input' }), [])];
}

function* leaves(schema: unknown, path: readonly string[]): Generator<ConfigKey> {
  const node = Node.parse(schema);
  if (node.properties) {
    for (const [name, child] of Object.entries(node.properties)) yield* leaves(child, [...path, name]);
    return;
  }
  yield {
    key: path.join('.'),
    env: `BINDERY_${path.map((word) => word.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()).join('_')}`,
    type: TYPES[node.type ?? ''] ?? 'string',
    choices: node.enum ?? node.items?.enum,
    fallback: node.default,
    description: node.description ?? '',
    secret: node.secret ?? false,
  };
}

/** The candidate that `word` was most probably meant to be, if any is near. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const scored = candidates.map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }));
  const best = scored.toSorted((a, b) => a.distance - b.distance)[0];
  return best && best.distance <= Math.max(2, Math.floor(word.length / 3)) ? best.candidate : undefined;
}

/** Levenshtein's distance, with a swap of neighbours as one step. Words are cut at 64 characters. */
function editDistance(left: string, right: string): number {
  const [a, b] = [left.slice(0, 64), right.slice(0, 64)];
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  const at = (row: number, column: number): number => rows[row]?.[column] ?? 0;
  for (let i = 1; i <= a.length; i++) {
    rows[i] = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, at(i - 2, j - 2) + 1);
      rows[i]?.push(best);
    }
  }
  return at(a.length, b.length);
}
