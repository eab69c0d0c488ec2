import { mkdir } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { join } from 'node:path';
import { BinderyError } from '@bindery/wire/errors.ts';
import { instant, type Clock } from '../base/clock.ts';
import type { Config } from '../base/config.ts';
import { addressOf, closeDoor, isLoopback, openDoor } from '../base/doors.ts';
import { keyIn } from '../base/secrets.ts';
import { StateLock } from '../base/state-lock.ts';
import { version } from '../base/version.ts';
import { admission } from './admission.ts';
import { forSockets, relayPlaces } from './places.ts';
import { Relay } from './relay.ts';

/** Milliseconds that a request's head may take, and its bytes. */
const HEAD_MS = 20_000;
const MOST_HEAD_BYTES = 16 * 1024;

/** A relay that runs. */
export interface RelayServer {
  /** Where it is reached, for WebSockets, without a trailing slash: `ws://localhost:8686`. */
  readonly url: string;
  readonly port: number;
  readonly keyFile: string;
  /** Sends everybody away to come again, and comes when all that was taken is safe. */
  close(): Promise<void>;
}

/** Starts the relay that is configured: takes its folder, opens its door. @throws BinderyError relay_locked, port_taken, config_invalid */
export async function serveRelay(config: Config, clock: Clock): Promise<RelayServer> {
  const { host, publicUrl } = config.relay;
  if (!isLoopback(host) && publicUrl === undefined)
    throw new BinderyError('config_invalid', `A relay on ${host} needs to know under which address people reach it.`, {
      hint: 'Set relay.publicUrl (https://relay.example.org); keys and links must not travel unencrypted.',
    });
  const { folder } = relayPlaces(config);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const lock = await StateLock.take(folder, 'relay');
  try {
    return await open(config, clock, lock);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function open(config: Config, clock: Clock, lock: StateLock): Promise<RelayServer> {
  const { host, port, allowOrigins, maxConnections, maxMessageBytes, idle } = config.relay;
  const { folder, keyFile } = relayPlaces(config);
  const relay = new Relay({
    folder: join(folder, 'rooms'),
    admit: admission({ key: await keyIn(keyFile), clock, origins: allowOrigins }),
    maxConnections,
    maxMessageBytes,
    idleMs: idle * 1000,
  });
  try {
    const door = await openDoor(host, port, () => listener(relay));
    const url = addressOf(config.relay, door.port);
    await lock.announce(url, instant(clock), version());
    return {
      url: forSockets(url),
      port: door.port,
      keyFile,
      close: async () => {
        await relay.close();
        await closeDoor(door);
        await lock.release();
      },
    };
  } catch (error) {
    await relay.close();
    throw error;
  }
}

function listener(relay: Relay): Server {
  const server = createServer({ headersTimeout: HEAD_MS, requestTimeout: HEAD_MS, maxHeaderSize: MOST_HEAD_BYTES, noDelay: true }, answer);
  server.on('upgrade', (request, socket, head) => relay.upgrade(request, socket, head));
  return server;
}

const NOTHING = {
  error: {
    code: 'not_found',
    message: 'There is nothing here but documents.',
    hint: 'They are entered by WebSocket: /room/<name>, or /y/<name> with y-websocket.',
    retryable: false,
  },
};

const answer: RequestListener = ({ url, method = '' }, response) => {
  const isHealth = url === '/health' && ['GET', 'HEAD'].includes(method);
  response.writeHead(isHealth ? 200 : 404, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' });
  response.end(`${JSON.stringify(isHealth ? { ok: true } : NOTHING)}\n`);
};
