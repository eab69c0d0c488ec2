import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { BinderyError } from '@bindery/wire/errors.ts';
import type { IndexSettings } from './package-index.ts';
import { IndexReader } from './package-page.ts';

/** The uv that Bindery is tested with. */
export const UV_VERSION = '0.13.8';

/** Wheel tag and sha256 of that version's wheel for each platform. */
const WHEELS: Readonly<Record<string, readonly [tag: string, sha256: string]>> = {
  'linux-x64': ['manylinux_2_17_x86_64.manylinux2014_x86_64', 'e18a57b8b352eb7c8feb317b9f6f533c8f0ad9673fd6cf34bbe3cf1a9f6a8984'],
  'linux-arm64': ['manylinux_2_28_aarch64', '5337c30bb893b4f9ce0ceb921ba2da0d13f649da644f40ad3bef84083bef0203'],
  'darwin-arm64': ['macosx_11_0_arm64', '62b6943c7fd64fac6854f780bea6e0359e5a5bc3241f83ee357bb38276afac49'],
  'darwin-x64': ['macosx_10_12_x86_64', 'b7124ca1956ec2e476a1003ea5715a15f0266afaec37f4dc9c6972ba8183e6d1'],
};
const MAX_BYTES = 64 * 2 ** 20;
const INSTALL = 'Install uv yourself and put it on PATH, or name it with python.uv.';

/**
 * Puts `uv` into `folder`: the pinned wheel from the configured index, checked, unpacked, renamed into place. Any number
 * of processes may do it at once. Throws `index_unreachable`, `tool_missing`.
 */
export async function downloadUv(
  folder: string,
  index: IndexSettings,
  say: (message: string) => void,
  signal: AbortSignal,
  platform = `${process.platform}-${process.arch}`,
): Promise<void> {
  const [tag, sha256] = WHEELS[platform] ?? [];
  if (!tag || !sha256)
    throw new BinderyError('tool_missing', `uv is not on PATH, and there is no tested copy of it for ${platform}.`, { hint: INSTALL });
  say(`Fetching uv ${UV_VERSION} from ${index.host} (17 MB, once).`);
  const wheel = await fetchWheel(`uv-${UV_VERSION}-py3-none-${tag}.whl`, sha256, index, signal);
  const binary = unzipped(wheel, `uv-${UV_VERSION}.data/scripts/uv`);
  if (!binary) throw new BinderyError('tool_missing', 'The wheel of uv holds no uv.', { hint: INSTALL });
  await mkdir(folder, { recursive: true });
  const temporary = join(folder, `.${randomUUID()}`);
  try {
    await writeFile(temporary, binary, { mode: 0o755 });
    await rename(temporary, join(folder, 'uv'));
  } finally {
    await rm(temporary, { force: true });
  }
}

async function fetchWheel(name: string, sha256: string, index: IndexSettings, signal: AbortSignal): Promise<Buffer> {
  const reader = await IndexReader.open(index);
  try {
    const file = (await reader.files('uv', signal))?.find((one) => one.name === name);
    if (!file)
      throw new BinderyError('tool_missing', `uv is not on PATH, and the package index at ${index.host} does not have ${name}.`, {
        hint: INSTALL,
      });
    return await reader.download(file, sha256, MAX_BYTES, signal);
  } catch (error) {
    if (!(error instanceof BinderyError) || error.code !== 'index_unreachable') throw error;
    throw new BinderyError('index_unreachable', `uv ${UV_VERSION} could not be fetched. ${error.message}`, {
      hint: `Check your connection and the index settings (python.indexUrl). Or: ${INSTALL}`,
      cause: error,
    });
  } finally {
    await reader.close();
  }
}

/** One file of a zip archive whose bytes are already known to be good (checked by hash). */
function unzipped(zip: Buffer, wanted: string): Buffer | undefined {
  const end = zip.lastIndexOf(Buffer.from('PK\x05\x06'));
  if (end < 0) return undefined;
  let at = zip.readUInt32LE(end + 16);
  while (zip.readUInt32LE(at) === 0x02014b50) {
    const [name, extra, comment] = [zip.readUInt16LE(at + 28), zip.readUInt16LE(at + 30), zip.readUInt16LE(at + 32)];
    if (zip.toString('utf8', at + 46, at + 46 + name) === wanted) {
      const local = zip.readUInt32LE(at + 42);
      const from = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28);
      const data = zip.subarray(from, from + zip.readUInt32LE(at + 20));
      return zip.readUInt16LE(at + 10) === 0 ? data : inflateRawSync(data);
    }
    at += 46 + name + extra + comment;
  }
  return undefined;
}
