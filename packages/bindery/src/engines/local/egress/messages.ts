import { z } from 'zod';

/** What the hub and the egress process say to each other: one JSON object a line, the hub's on stdin, the process's on stdout. */

const Host = z.strictObject({ host: z.string().max(255), port: z.number().int().min(1).max(65535) });

/** The hub's first line; the stream's end tells the process to go. */
export const EgressOrder = z.strictObject({
  /** Where the socket is to be. */
  socketPath: z.string(),
  /** User (and group) to become once the socket is there. */
  uid: z.number().int().positive().optional(),
  allowHosts: z.array(Host).max(1000),
  /** How to reach the internet where that takes a proxy. */
  proxy: z.strictObject({ url: z.string(), except: z.array(z.string()) }).optional(),
  /** Package indexes that are asked in the place of sandboxes, perhaps with credentials, and the secret for links to their files. */
  indexes: z.array(z.strictObject({ url: z.string(), insecure: z.boolean() })).max(100),
  key: z.string().min(32),
  limits: z.strictObject({
    connections: z.number().int().positive(),
    connectMs: z.number().int().positive(),
    idleMs: z.number().int().positive(),
  }),
});
export type EgressOrder = z.infer<typeof EgressOrder>;

export const EgressStats = z.strictObject({
  open: z.number().int(),
  total: z.number().int(),
  denied: z.number().int(),
  bytesUp: z.number(),
  bytesDown: z.number(),
});
export type EgressStats = z.infer<typeof EgressStats>;

export const EgressReport = z.discriminatedUnion('says', [
  z.strictObject({ says: z.literal('ready') }),
  /** At most a few a second; `unsaid` counts those that were left out before it. */
  z.strictObject({
    says: z.literal('denied'),
    host: z.string().max(255),
    port: z.number().int(),
    why: z.string().max(500),
    unsaid: z.number().int(),
  }),
  z.strictObject({ says: z.literal('stats'), stats: EgressStats }),
]);
export type EgressReport = z.infer<typeof EgressReport>;
