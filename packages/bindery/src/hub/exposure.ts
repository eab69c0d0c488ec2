import { BinderyError } from '@bindery/wire/errors.ts';
import type { Config } from '../base/config.ts';
import { isLoopback } from '../base/doors.ts';
import type { Shared } from '../contracts/context.ts';
import type { HostNames } from '../proxy/hosts.ts';

/** True for a hub for everybody: launches need no key there. */
export function isOpen({ hub }: Config): boolean {
  return hub.open ?? !isLoopback(hub.host);
}

/**
 * A hub that others can reach runs strangers' code for strangers: never without walls, and never without knowing its own
 * name and that of its sessions.
 * @throws BinderyError sandbox_unavailable, config_invalid
 */
export function checkExposure({ config, engine }: Shared): void {
  const { host, publicUrl, sessionHost } = config.hub;
  if (isLoopback(host) && !isOpen(config)) {
    if (config.hub.allowOrigins.includes('*'))
      throw new BinderyError('config_invalid', 'Only a hub for everybody may be called from every site (hub.allowOrigins).', {
        hint: 'Name the origins of the sites that may call: https://book.example.org',
      });
    return;
  }
  if (!engine.isolated)
    throw new BinderyError('sandbox_unavailable', `No sandbox works on this machine, so the hub does not serve others on ${host}.`, {
      hint: 'Listen on localhost, or see bindery doctor.',
    });
  if (publicUrl === undefined || sessionHost === undefined || !/^\*\.[\w.-]+$/.test(sessionHost))
    throw new BinderyError('config_invalid', `A hub on ${host} needs to know under which addresses people reach it and its sessions.`, {
      hint: 'Set hub.publicUrl (https://hub.example.org) and hub.sessionHost (*.hub.example.org).',
    });
}

/** The names under which the proxy takes requests; any other is refused. */
export function hostNames({ hub }: Config): HostNames {
  const loopback = ['localhost', '127.0.0.1', '[::1]', ...(isLoopback(hub.host) ? [hub.host] : [])];
  if (hub.publicUrl === undefined) return { hub: loopback, sessionSuffix: '.localhost', secure: false };
  const url = new URL(hub.publicUrl);
  return {
    hub: [...loopback, url.hostname],
    sessionSuffix: (hub.sessionHost ?? '*.localhost').slice(1),
    secure: url.protocol === 'https:',
  };
}
