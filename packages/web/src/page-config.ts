import { z } from 'zod';

/** What the hub writes into `index.html` for this page. Everything has a default, so that the page works without. */
export const PageConfig = z.object({
  /** Path below which the hub lives, with both slashes. */
  baseUrl: z.string().default('/'),
  version: z.string().default(''),
  /** True when the page was opened from another site: then it asks before it launches. */
  ask: z.boolean().default(false),
});
export type PageConfig = z.infer<typeof PageConfig>;

/** Reads the configuration that the hub put into the document. */
export function readPageConfig(document: Document): PageConfig {
  const text = document.getElementById('page-config')?.textContent ?? '';
  try {
    return PageConfig.parse(JSON.parse(text));
  } catch {
    return PageConfig.parse({});
  }
}
