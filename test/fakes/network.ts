// Two network namespaces that stand in for a machine and the world around it. Nothing leaves them.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Answers every HTTP request and every TCP connection to port 7 with the address that was reached. */
const WORLD = `
import http.server, socket, socketserver, sys, threading
class Web(http.server.BaseHTTPRequestHandler):
  def do_GET(self):
    text = ("reached " + self.connection.getsockname()[0].replace("::ffff:", "")).encode()
    self.send_response(200); self.send_header("Content-Length", str(len(text))); self.end_headers(); self.wfile.write(text)
  def log_message(self, *a): pass
class Line(socketserver.BaseRequestHandler):
  def handle(self): self.request.sendall(("reached " + self.request.getsockname()[0].replace("::ffff:", "")).encode())
def serve(kind, port, handler):
  class Server(kind):
    address_family = socket.AF_INET6; daemon_threads = True; allow_reuse_address = True
  threading.Thread(target=Server(("::", port), handler).serve_forever).start()
serve(http.server.ThreadingHTTPServer, 80, Web); serve(socketserver.ThreadingTCPServer, 7, Line)
print("ready", flush=True)
`;

export interface Network {
  /** Words that start a program on the stand-in machine: its own addresses are `machine`. */
  readonly onMachine: readonly string[];
  readonly machine: string;
  close(): Promise<void>;
}

/** True where namespaces can be made: as root, with iproute2. */
export function canMakeNetworks(): boolean {
  return process.getuid?.() === 0 && spawnSync('ip', ['-V']).status === 0;
}

/** Makes the machine, with a default route to a world that answers at the given addresses. */
export async function makeNetwork(addresses: readonly string[]): Promise<Network> {
  const [machine, world] = [`bm${process.pid}`, `bw${process.pid}`];
  const ip = (...words: string[]): void => {
    const result = spawnSync('ip', words, { encoding: 'utf8' });
    if (result.status !== 0) throw new Error(`ip ${words.join(' ')}: ${result.stderr}`);
  };
  const inside = (name: string, ...words: string[]): void => ip('-n', name, ...words);
  for (const name of [machine, world]) {
    ip('netns', 'add', name);
    inside(name, 'link', 'set', 'lo', 'up');
  }
  inside(machine, 'link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'down0', 'netns', world);
  inside(machine, 'addr', 'add', '198.51.100.2/24', 'dev', 'up0');
  inside(world, 'addr', 'add', '198.51.100.1/24', 'dev', 'down0');
  inside(machine, 'addr', 'add', 'fd77::2/64', 'dev', 'up0', 'nodad');
  inside(world, 'addr', 'add', 'fd77::1/64', 'dev', 'down0', 'nodad');
  for (const [name, link] of [
    [machine, 'up0'],
    [world, 'down0'],
  ] as const)
    inside(name, 'link', 'set', link, 'up');
  inside(machine, 'route', 'add', 'default', 'via', '198.51.100.1');
  inside(machine, '-6', 'route', 'add', 'default', 'via', 'fd77::1');
  for (const address of addresses) inside(world, 'addr', 'add', address, 'dev', 'lo', ...(address.includes(':') ? ['nodad'] : []));
  const server = spawn('ip', ['netns', 'exec', world, 'python3', '-I', '-c', WORLD], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(server.stdout, 'data');
  return { onMachine: ['ip', 'netns', 'exec', machine], machine: '198.51.100.2', close: () => remove([machine, world], server) };
}

async function remove(names: readonly string[], server: ChildProcess): Promise<void> {
  const ended = once(server, 'exit');
  server.kill('SIGKILL');
  await ended;
  for (const name of names) spawnSync('ip', ['netns', 'delete', name]);
}
