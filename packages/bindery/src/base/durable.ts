import { open, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Puts a file whole into its place: also after a power cut it says this, or what it said before, and when this comes, this. Its owner's alone. */
export async function writeDurably(file: string, text: string): Promise<void> {
  await writeFile(`${file}.part`, text, { mode: 0o600, flush: true });
  await rename(`${file}.part`, file);
  await syncFolder(dirname(file));
}

/** Comes when what the folder lists is on the disk. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
