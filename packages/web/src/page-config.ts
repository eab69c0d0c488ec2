import { PageConfig } from '@bindery/wire/api.ts';

/** Reads what the hub put into the document; a page served without a hub gets defaults. */
export function readPageConfig(document: Document): PageConfig {
  const text = document.getElementById('page-config')?.textContent ?? '';
  const defaults = { version: '', baseUrl: '/', publicUrl: location.origin, isolated: true, ask: false };
  try {
    return PageConfig.parse({ ...defaults, ...(JSON.parse(text) as object) });
  } catch {
    return defaults;
  }
}
