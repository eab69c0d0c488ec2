import { configKeys } from './config-keys.ts';
import type { LoadedConfig } from './config-load.ts';

/** One setting in effect, fit to be shown: secrets and credentials inside addresses are replaced. */
export interface ShownSetting {
  readonly key: string;
  readonly value: unknown;
  /** File, variable or flag that set it, or `default`. */
  readonly from: string;
}

/** Every setting in effect. One that has no value is `undefined`. */
export function showConfig(loaded: LoadedConfig): ShownSetting[] {
  return configKeys().map(({ key, secret }) => {
    const [section = '', name = ''] = key.split('.');
    const value = (loaded.config as Record<string, Record<string, unknown>>)[section]?.[name];
    return { key, value: redact(value, secret), from: loaded.origins.get(key) ?? 'default' };
  });
}

function redact(value: unknown, secret: boolean): unknown {
  if (value === undefined) return undefined;
  if (secret) return '***';
  if (Array.isArray(value)) return value.map((item: unknown) => redact(item, false));
  return typeof value === 'string' ? redactAddress(value) : value;
}

/** An address without its user name and password: `https://***@host/simple`. */
export function redactAddress(text: string): string {
  return text.replaceAll(/([a-z][a-z0-9+.-]*:\/\/)[^/?#\s]*@/gi, '$1***@');
}
