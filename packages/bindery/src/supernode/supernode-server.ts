import { mkdir } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { BinderyError } from '@bindery/wire/errors.ts';
import { instant, type Clock } from '../base/clock.ts';
import type { Config } from '../base/config.ts';
import { addressOf, closeDoor, isLoopback, openDoor } from '../base/doors.ts';
import { makeLog } from '../base/log.ts';
import { derived, keyHash, keyIn } from '../base/secrets.ts';
import { StateLock } from '../base/state-lock.ts';
import { version as ownVersion } from '../base/version.ts';
import type { HostNames } from '../proxy/hosts.ts';
import { Keys } from '../proxy/keys.ts';
import { createListener } from '../proxy/listener.ts';
import { createProxy, type Proxy } from '../proxy/proxy.ts';
import type { Route } from '../proxy/routes.ts';
import type { Visitor } from '../proxy/visitors.ts';
import { Beside } from './beside.ts';
import { isOurs } from './collaboration.ts';
import type { JupyterAddress } from './jupyter-server.ts';
import { checkServer, folderName, type NamedServer } from './server-address.ts';

/** The one server, as proxy and documents call it. */
const ID = 'jupyter';
/** Milliseconds that the link which is printed opens one browser. */
const ENTER_MS = 3600 * 1000;
/** Milliseconds that requests under way have when it ends. */
const GRACE_MS = 1000;

export interface SupernodeOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly address: JupyterAddress;
  /** Answers `-/<name>` below the server's base address: the page of one notebook. False: there is nothing under that name. */
  readonly page: (name: string, request: IncomingMessage, response: ServerResponse) => boolean;
}

/** A supernode that runs. */
export interface SupernodeServer {
  /** Where it is reached in the server's place, with the server's base path. */
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  readonly keyFile: string;
  /** Of the Jupyter server. */
  readonly jupyterVersion: string;
  /** Lets one browser in, once, within the hour. */
  readonly enterUrl: string;
  /** Saves, sends everybody away to come again, and ends. */
  close(): Promise<void>;
}

/** Where the documents of a server are, and the key that admits to all of it. */
export function supernodePlaces(config: Config, server: NamedServer): { readonly folder: string; readonly keyFile: string } {
  const folder = join(config.supernode.folder ?? join(config.folders.state, 'supernode'), folderName(server));
  return { folder, keyFile: join(folder, 'supernode.key') };
}

/** The part of a share link that lets in; another key ends all of them. */
export function supernodeShare(key: string, clock: Clock, visitor: Visitor & { readonly until: number }): string {
  return new Keys(clock, secretOf(key)).share(ID, visitor);
}

function secretOf(key: string): Buffer {
  return derived(key, 'supernode cookies');
}

/**
 * Puts relay and supernode before a Jupyter server: shared documents are answered here, everything else by the server, to those who may.
 * @throws BinderyError jupyter_unreachable, jupyter_refused, jupyter_too_old, supernode_locked, port_taken, config_invalid
 */
export async function serveSupernode(options: SupernodeOptions): Promise<SupernodeServer> {
  const { config, address } = options;
  const { host, publicUrl } = config.supernode;
  if (!isLoopback(host) && publicUrl === undefined)
    throw new BinderyError('config_invalid', `A supernode on ${host} needs to know under which address people reach it.`, {
      hint: 'Set supernode.publicUrl (https://notebooks.example.org); keys and links must not travel unencrypted.',
    });
  const jupyterVersion = await checkServer(address);
  const { folder } = supernodePlaces(config, address);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const lock = await StateLock.take(folder, 'supernode');
  try {
    return await open(options, lock, jupyterVersion);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function open({ config, clock, address, page }: SupernodeOptions, lock: StateLock, jupyterVersion: string): Promise<SupernodeServer> {
  const { folder, keyFile } = supernodePlaces(config, address);
  const log = makeLog(config.hub.log);
  const key = await keyIn(keyFile);
  const documents = new Beside({ folder, log });
  let origin = '';
  const proxy = createProxy({
    clock,
    log,
    hosts: hostNames(config),
    explain: () => undefined,
    hubUrl: () => origin,
    portUrl: () => origin,
    wayIn:
      "Open a link of bindery supernode or bindery share, or add ?token= with the Jupyter server's token, or the key in supernode.key.",
    pages: (_id, name, _visitor, request, response) => page(name, request, response),
    secret: secretOf(key),
  });
  const end = async (): Promise<void> => {
    await proxy.close({ graceMs: GRACE_MS });
    await documents.close();
  };
  try {
    const beside = await documents.put({ id: ID, ...address });
    proxy.addRoute(routeTo(address, { target: { socketPath: beside.socketPath }, authorization: beside.authorization }));
    for (const token of [key, address.token]) if (token !== '') proxy.adoptToken(ID, keyHash(token));
    const door = await openDoor(config.supernode.host, config.supernode.port, () => createListener(proxy, { door: 'alone' }));
    origin = addressOf(config.supernode, door.port);
    const url = `${origin}${new URL(address.url).pathname}`;
    await lock.announce(url, instant(clock), ownVersion());
    return {
      url,
      port: door.port,
      folder,
      keyFile,
      jupyterVersion,
      enterUrl: enterUrl(proxy),
      close: async () => {
        await end();
        await closeDoor(door);
        await lock.release();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

function enterUrl(proxy: Proxy): string {
  return proxy.browserUrl(ID, 'lab', 'port', ENTER_MS);
}

function routeTo({ url, socketPath, token }: JupyterAddress, there: Pick<Route, 'target' | 'authorization'>): Route {
  const { protocol, hostname, port, host, pathname } = new URL(url);
  const tls = protocol === 'https:';
  const far = { host: hostname.replaceAll(/[[\]]/g, ''), port: Number(port || (tls ? 443 : 80)), tls };
  return {
    id: ID,
    prefix: pathname,
    target: socketPath === undefined ? far : { socketPath },
    host,
    authorization: token === '' ? undefined : `token ${token}`,
    beside: { takes: isOurs, ready: async () => there },
  };
}

function hostNames({ supernode: { host, publicUrl } }: Config): HostNames {
  const loopback = ['localhost', '127.0.0.1', '[::1]', ...(isLoopback(host) ? [host] : [])];
  const url = publicUrl === undefined ? undefined : new URL(publicUrl);
  return { hub: url ? [...loopback, url.hostname] : loopback, sessionSuffix: '', secure: url?.protocol === 'https:' };
}
