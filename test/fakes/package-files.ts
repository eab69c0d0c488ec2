import { createHash } from 'node:crypto';
import { crc32, gzipSync } from 'node:zlib';

/** Files that a package index offers, made by hand: just enough for uv and pip to take them. */
export interface PackageFile {
  readonly name: string;
  readonly bytes: Buffer;
  readonly sha256: string;
  /** ISO 8601; left out where the index is to keep silent about it. */
  readonly uploaded?: string;
}

export interface PackageContent {
  readonly requires?: readonly string[];
  readonly requiresPython?: string;
  readonly uploaded?: string;
  /** Python code of the one module. */
  readonly code?: string;
}

/** A wheel, `py3-none-any` unless said otherwise. */
export function wheel(name: string, version: string, content: PackageContent & { readonly tag?: string } = {}): PackageFile {
  const tag = content.tag ?? 'py3-none-any';
  const module = name.replaceAll('-', '_');
  const info = `${module}-${version}.dist-info`;
  const files: [string, string][] = [
    [`${module}.py`, content.code ?? `__version__ = "${version}"\n`],
    [`${info}/METADATA`, metadata(name, version, content, '2.1')],
    [`${info}/WHEEL`, `Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: ${tag}\n`],
  ];
  files.push([`${info}/RECORD`, [...files.map(([path]) => `${path},,`), `${info}/RECORD,,`, ''].join('\n')]);
  return file(`${module}-${version}-${tag}.whl`, zip(files), content.uploaded);
}

/** A source distribution with a build backend of its own, so that building it needs nothing else; what it needs is known only by running that. */
export function sdist(name: string, version: string, content: PackageContent & { readonly backend?: string } = {}): PackageFile {
  const root = `${name.replaceAll('-', '_')}-${version}`;
  const bytes = gzipSync(
    tar([
      [`${root}/PKG-INFO`, metadata(name, version, {}, '2.1')],
      ...project(name, version, content).map(([path, text]): [string, string] => [`${root}/${path}`, text]),
    ]),
  );
  return file(`${root}.tar.gz`, bytes, content.uploaded);
}

/** Files of a project that is built by its own code alone; `backend` is run whenever that code is. */
export function project(
  name: string,
  version: string,
  content: PackageContent & { readonly backend?: string; readonly extras?: Readonly<Record<string, string>> } = {},
): [string, string][] {
  const module = name.replaceAll('-', '_');
  const extras = Object.entries(content.extras ?? {}).map(
    ([extra, needs]) => `Provides-Extra: ${extra}\nRequires-Dist: ${needs} ; extra == "${extra}"\n`,
  );
  const text = metadata(name, version, content, '2.1') + extras.join('');
  const backend = `
import os
${content.backend ?? ''}
METADATA = ${JSON.stringify(text)}
INFO = ${JSON.stringify(`${module}-${version}.dist-info`)}
def prepare_metadata_for_build_wheel(folder, config_settings=None):
    os.mkdir(os.path.join(folder, INFO))
    with open(os.path.join(folder, INFO, "METADATA"), "w") as out:
        out.write(METADATA)
    return INFO
prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel
def build_wheel(folder, config_settings=None, metadata_directory=None):
    import zipfile
    name = ${JSON.stringify(`${module}-${version}-py3-none-any.whl`)}
    files = {${JSON.stringify(`${module}.py`)}: ${JSON.stringify(content.code ?? '')}, INFO + "/METADATA": METADATA,
             INFO + "/WHEEL": "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"}
    files[INFO + "/RECORD"] = "".join(path + ",,\\n" for path in [*files, INFO + "/RECORD"])
    with zipfile.ZipFile(os.path.join(folder, name), "w") as out:
        for path, data in files.items():
            out.writestr(path, data)
    return name
build_editable = build_wheel
`;
  return [
    ['pyproject.toml', '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'],
    ['backend.py', backend],
    [`${module}.py`, content.code ?? ''],
  ];
}

function file(name: string, bytes: Buffer, uploaded: string | undefined): PackageFile {
  return { name, bytes, sha256: createHash('sha256').update(bytes).digest('hex'), ...(uploaded === undefined ? {} : { uploaded }) };
}

function metadata(name: string, version: string, content: PackageContent, standard: string): string {
  const lines = [`Metadata-Version: ${standard}`, `Name: ${name}`, `Version: ${version}`];
  if (content.requiresPython) lines.push(`Requires-Python: ${content.requiresPython}`);
  for (const requirement of content.requires ?? []) lines.push(`Requires-Dist: ${requirement}`);
  return `${lines.join('\n')}\n`;
}

/** A zip archive without compression. */
function zip(files: readonly (readonly [string, string])[]): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [path, text] of files) {
    const [name, data] = [Buffer.from(path), Buffer.from(text)];
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x21, 8); // 1980-01-01
    common.writeUInt32LE(crc32(data), 10);
    common.writeUInt32LE(data.length, 14);
    common.writeUInt32LE(data.length, 18);
    common.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, name, data]);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(0o100644 * 0x10000, 6);
    rest.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from('PK\x01\x02'), Buffer.from([20, 3]), common, rest, name]));
    parts.push(local);
    offset += local.length;
  }
  const table = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 0, 'latin1');
  end.writeUInt16LE(files.length, 8);
  end.writeUInt16LE(files.length, 10);
  end.writeUInt32LE(table.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, table, end]);
}

/** A tar archive (ustar) of regular files. */
export function tar(files: readonly (readonly [string, string])[]): Buffer {
  const blocks = files.flatMap(([path, text]) => {
    const data = Buffer.from(text);
    const header = Buffer.alloc(512);
    header.write(path, 0);
    header.write('0000644\0', 100);
    header.write('0000000\0', 108);
    header.write('0000000\0', 116);
    header.write(`${data.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write('00000000000\0', 136);
    header.write('        ', 148);
    header.write('0', 156);
    header.write('ustar\x0000', 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [header, data, Buffer.alloc((512 - (data.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}
