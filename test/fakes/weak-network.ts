import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';

interface Way {
  readonly near: Socket;
  readonly far: Socket;
  isHeld: boolean;
}

/** A port of this machine that leads to another, whose connections are cut, or stand still: for who is at their ends, a network that fails. */
export class WeakNetwork {
  readonly port: number;
  #target: number | undefined;
  readonly #waiting = new Set<Socket>();
  readonly #server: Server;
  readonly #ways = new Set<Way>();

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    server.on('connection', (near) => {
      near.on('error', () => near.destroy());
      if (this.#target !== undefined) this.#lead(near, this.#target);
      else this.#waiting.add(near);
    });
  }

  static async open(): Promise<WeakNetwork> {
    const server = createServer({ noDelay: true });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new WeakNetwork(server);
  }

  /** Where connections lead to; undefined: to nobody, they wait until there is somebody. */
  set target(port: number | undefined) {
    this.#target = port;
    if (port === undefined) return;
    for (const near of this.#waiting) if (!near.destroyed) this.#lead(near, port);
    this.#waiting.clear();
  }

  get size(): number {
    return this.#ways.size;
  }

  /** Ends some connections, chosen by `isOne`, at once and for both. */
  cut(isOne: () => boolean): void {
    for (const way of this.#ways) if (isOne()) destroy(way);
  }

  /** Lets nothing through any more on some connections, which nobody can see. */
  hold(isOne: () => boolean): void {
    for (const way of this.#ways) {
      if (way.isHeld || !isOne()) continue;
      way.isHeld = true;
      for (const socket of [way.near, way.far]) socket.unpipe().pause();
    }
  }

  /** Ends what stands still. */
  lift(): void {
    for (const way of this.#ways) if (way.isHeld) destroy(way);
  }

  async close(): Promise<void> {
    for (const way of this.#ways) destroy(way);
    for (const near of this.#waiting) near.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #lead(near: Socket, port: number): void {
    const far = connect({ port, host: '127.0.0.1', noDelay: true });
    const way: Way = { near, far, isHeld: false };
    this.#ways.add(way);
    near.pipe(far);
    far.pipe(near);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        // What came before the end still gets through, but where nothing does.
        if (way.isHeld) other.destroy();
        else other.unpipe().resume().end();
        if (near.destroyed && far.destroyed) this.#ways.delete(way);
      });
    }
  }
}

function destroy({ near, far }: Way): void {
  near.destroy();
  far.destroy();
}
