import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

interface Answers {
  readonly request?: RequestListener;
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Ends what answers, before connections are cut. */
  readonly end: () => Promise<void>;
}

/** Answers at a port of this machine until it is closed, which may be asked for twice. */
export async function served(
  { request, upgrade, end }: Answers,
  port = 0,
): Promise<{ readonly port: number; readonly close: () => Promise<void> }> {
  const server = createServer(request).on('upgrade', upgrade);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    await end();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { port: (server.address() as AddressInfo).port, close: () => (closing ??= close()) };
}
