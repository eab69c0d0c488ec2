import { connect, type Socket } from 'node:net';

/** One prepared request and how to reach a proxy with it. */
export type MakeRequest = (index: number) => string;

/** Sends `count` requests over `connections` keep-alive connections, each waiting for its answer, and checks that all are 200. */
export async function load(port: number, count: number, connections: number, make: MakeRequest): Promise<void> {
  let next = 0;
  const one = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const socket = connect(port, '127.0.0.1').setNoDelay(true);
      let text = '';
      const send = (): void => {
        text = '';
        if (next < count) socket.write(make(next++), 'latin1');
        else {
          socket.destroy();
          resolve();
        }
      };
      socket.setEncoding('latin1').on('data', (chunk) => {
        text += String(chunk);
        const head = text.indexOf('\r\n\r\n');
        if (head < 0) return;
        const length = Number(/\ncontent-length: *(\d+)/i.exec(text)?.[1]);
        if (!text.startsWith('HTTP/1.1 200')) reject(new Error(`Unexpected answer: ${text.slice(0, 200)}`));
        else if (text.length >= head + 4 + length) send();
      });
      socket.on('error', reject);
      socket.on('connect', send);
    });
  await Promise.all(Array.from({ length: connections }, one));
}

/** Opens `count` WebSockets, a few at a time, and leaves them open. */
export async function openSockets(port: number, count: number, make: MakeRequest): Promise<Socket[]> {
  const sockets: Socket[] = [];
  for (let opened = 0; opened < count; opened += 50)
    sockets.push(
      ...(await Promise.all(Array.from({ length: Math.min(50, count - opened) }, (_, index) => openSocket(port, make(opened + index))))),
    );
  return sockets;
}

function openSocket(port: number, request: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('data', (chunk) => {
      if (chunk.toString('latin1').startsWith('HTTP/1.1 101')) resolve(socket);
      else reject(new Error(`Unexpected answer: ${chunk.toString('latin1').slice(0, 200)}`));
    });
    socket.on('error', reject);
    socket.write(request, 'latin1');
  });
}
