import { writeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { z } from 'zod';

/**
 * What a hub tells whoever started it, one JSON object a line on a pipe of their own: what it is installing, at any time,
 * and once that it listens or why it does not.
 */
export const HubNews = z.union([
  z.object({ say: z.string() }),
  z.object({ url: z.url() }),
  z.object({ error: z.object({ code: z.string(), message: z.string(), hint: z.string(), retryable: z.boolean() }) }),
]);
export type HubNews = z.infer<typeof HubNews>;

/** How the start of a hub went. */
export type HubStart = Exclude<HubNews, { say: string }>;

/** Tells news by a file descriptor; without one, or when nobody listens any more, it tells nobody. */
export function newsTo(descriptor: string | undefined): (news: HubNews) => void {
  let fd = descriptor === undefined ? undefined : Number(descriptor);
  return (news) => {
    if (fd === undefined) return;
    try {
      writeSync(fd, `${JSON.stringify(news)}\n`);
    } catch {
      fd = undefined; // whoever started us has gone; the hub goes on
    }
  };
}

/** Resolves with how the start went; undefined when the hub ended without a word. `say` hears the rest, also later on. */
export function readNews(pipe: Socket, say: (message: string) => void): Promise<HubStart | undefined> {
  return new Promise((resolve) => {
    const lines = createInterface({ input: pipe });
    lines.on('line', (line) => {
      const news = HubNews.safeParse(parseJson(line));
      if (!news.success) return;
      if ('say' in news.data) return say(news.data.say);
      pipe.unref(); // from here on it keeps nobody from ending
      resolve(news.data);
    });
    lines.on('close', () => resolve(undefined));
    lines.on('error', () => resolve(undefined)); // the pipe's, told on
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
