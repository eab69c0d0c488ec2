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

/**
 * A proxy on the stand-in machine that leads to where this program runs: only tools that fetch packages are told of it.
 * It listens in the one network namespace and connects from the other.
 */
const BRIDGE = `
import ctypes, os, socket, socketserver, sys, threading
class Bridge(socketserver.BaseRequestHandler):
  def handle(self):
    head = b""
    while b"\\r\\n\\r\\n" not in head and len(head) < 16384: head += self.request.recv(4096) or sys.exit()
    host, _, port = head.split()[1].decode().rpartition(":")
    with socket.create_connection((host.strip("[]"), int(port)), timeout=60) as out:
      self.request.sendall(b"HTTP/1.1 200 OK\\r\\n\\r\\n")
      threading.Thread(target=self.pump, args=(out, self.request), daemon=True).start()
      self.pump(self.request, out)
  def pump(self, a, b):
    try:
      while data := a.recv(65536): b.sendall(data)
      b.shutdown(socket.SHUT_WR)
    except OSError: pass
class Server(socketserver.ThreadingTCPServer):
  daemon_threads = True; request_queue_size = 100
server = Server(("81.2.69.2", 0), Bridge)
out = os.open("/proc/" + sys.argv[1] + "/ns/net", os.O_RDONLY)
if ctypes.CDLL(None, use_errno=True).setns(out, 0): sys.exit("setns")
print(server.server_address[1], flush=True)
server.serve_forever()
`;

export interface Network {
  /** Words that start a program on the stand-in machine: its own addresses are `machine`. */
  readonly onMachine: readonly string[];
  readonly machine: string;
  /** Variables that lead package tools on the machine to the real registries. */
  readonly variables: Readonly<Record<string, string>>;
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
  inside(machine, 'addr', 'add', '81.2.69.2/24', 'dev', 'up0');
  inside(world, 'addr', 'add', '81.2.69.1/24', 'dev', 'down0');
  inside(machine, 'addr', 'add', 'fd77::2/64', 'dev', 'up0', 'nodad');
  inside(world, 'addr', 'add', 'fd77::1/64', 'dev', 'down0', 'nodad');
  for (const [name, link] of [
    [machine, 'up0'],
    [world, 'down0'],
  ] as const)
    inside(name, 'link', 'set', link, 'up');
  inside(machine, 'route', 'add', 'default', 'via', '81.2.69.1');
  inside(machine, '-6', 'route', 'add', 'default', 'via', 'fd77::1');
  for (const address of addresses) inside(world, 'addr', 'add', address, 'dev', 'lo', ...(address.includes(':') ? ['nodad'] : []));
  const server = spawn('ip', ['netns', 'exec', world, 'python3', '-I', '-c', WORLD], { stdio: ['ignore', 'pipe', 'inherit'] });
  const bridge = spawn('ip', ['netns', 'exec', machine, 'python3', '-I', '-c', BRIDGE, String(process.pid)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [[port]] = (await Promise.all([once(bridge.stdout, 'data'), once(server.stdout, 'data')])) as [[Buffer], unknown];
  const proxy = `http://81.2.69.2:${port.toString().trim()}`;
  const bare = addresses.map((address) => address.split('/')[0]);
  return {
    onMachine: ['ip', 'netns', 'exec', machine],
    machine: '81.2.69.2',
    variables: { HTTPS_PROXY: proxy, NO_PROXY: ['localhost', '127.0.0.1', '81.2.69.2', ...bare].join(',') },
    close: () => remove([machine, world], [server, bridge]),
  };
}

async function remove(names: readonly string[], programs: readonly ChildProcess[]): Promise<void> {
  for (const program of programs) {
    const ended = once(program, 'exit');
    program.kill('SIGKILL');
    await ended;
  }
  for (const name of names) spawnSync('ip', ['netns', 'delete', name]);
}
