// The peer as its makers tell to start it: `hocuspocus.ts <its packages> <folder>`; documents are loaded from and stored into the folder.
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';

interface Payload {
  readonly documentName: string;
  readonly document: object;
}
interface Yjs {
  applyUpdate(doc: object, update: Uint8Array): void;
  encodeStateAsUpdate(doc: object): Uint8Array;
}
interface HocuspocusServer {
  readonly address: { readonly port: number };
  listen(): Promise<unknown>;
}

const [packages = '', folder = ''] = process.argv.slice(2);
const modules = createRequire(import.meta.url);
const peer = (name: string): unknown => modules(join(packages, 'node_modules', name));
const Y = peer('yjs') as Yjs;
const { Server } = peer('@hocuspocus/server') as { readonly Server: new (options: object) => HocuspocusServer };

const server = new Server({
  port: 0,
  address: '127.0.0.1',
  quiet: true,
  async onAuthenticate({ token }: { readonly token: string }) {
    if (token !== 'token') throw new Error('not allowed');
  },
  async onLoadDocument({ documentName, document }: Payload) {
    const stored = await readFile(join(folder, documentName)).catch(() => undefined);
    if (stored) Y.applyUpdate(document, stored);
  },
  async onStoreDocument({ documentName, document }: Payload) {
    await writeFile(join(folder, documentName), Y.encodeStateAsUpdate(document));
  },
});
await server.listen();
console.log(JSON.stringify({ url: `ws://127.0.0.1:${server.address.port}` }));
