import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Repository, TemporaryFolder } from '../../../../../../test/fakes/repository.ts';

const LIMIT = 8 << 20;

/** What restore.py said and how it ended. */
interface Told {
  readonly code: number | null;
  readonly out: { files: number; removed: number } | undefined;
  readonly said: string;
}

describe('saved work', () => {
  let folder: TemporaryFolder;
  let repository: Repository;
  let commit: string;
  beforeEach(() => {
    folder = new TemporaryFolder();
    repository = new Repository(join(folder.path, 'session'));
    commit = repository.commit({
      'kept.txt': 'kept',
      'changed.txt': 'before',
      'sub/removed.txt': 'gone',
      'was-file': 'a file',
      'was-folder/a.txt': 'a',
      '.gitignore': 'ignored\n',
    });
  });
  afterEach(() => folder[Symbol.dispose]());

  const script = (name: string): string[] => ['-I', '-S', '-B', join(import.meta.dirname, name)];
  const save = (limit = LIMIT): Buffer =>
    execFileSync('python3', [...script('save.py'), commit, String(limit)], { cwd: repository.path, stdio: ['ignore', 'pipe', 'inherit'] });
  const restore = (archive: Buffer, limit = LIMIT, ...copies: string[]): Told => {
    const target = join(folder.path, 'target');
    mkdirSync(target, { recursive: true });
    const run = spawnSync('python3', [...script('restore.py'), target, String(limit), ...copies], { input: archive, encoding: 'utf8' });
    return { code: run.status, out: run.stdout ? (JSON.parse(run.stdout) as Told['out']) : undefined, said: run.stderr };
  };
  const target = (name: string): string => join(folder.path, 'target', name);
  const names = (archive: Buffer): string[] =>
    execFileSync('tar', ['-tz'], { input: archive, encoding: 'utf8' }).split('\n').filter(Boolean).toSorted();

  /** A tar.gz that a hostile session might have left, written by Python's own tarfile. */
  const hostile = (code: string): Buffer => {
    const before = `import io, sys, tarfile, gzip
def add(name, data=b"x", **facts):
  info = tarfile.TarInfo(name)
  for key, value in {"size": len(data), **facts}.items(): setattr(info, key, value)
  archive.addfile(info, io.BytesIO(data))
archive = tarfile.open(fileobj=sys.stdout.buffer, mode="w|gz")
`;
    return execFileSync('python3', ['-c', `${before}${code}\narchive.close()`], { maxBuffer: 1 << 28 });
  };

  it('nothing is saved where nothing was changed', () => {
    writeFileSync(join(repository.path, 'ignored'), 'x');
    assert.equal(save().length, 0);
  });

  it('comes back over a fresh copy: changed, new, removed, replaced, committed or not', () => {
    const fresh = join(folder.path, 'fresh');
    execFileSync('cp', ['-a', repository.path, fresh]);
    repository.commit({ 'changed.txt': 'committed in the session' });
    repository.write({ 'new/deep/n\nu.txt': 'new', 'run.sh': '#!/bin/sh\n' });
    execFileSync('chmod', ['755', join(repository.path, 'run.sh')]);
    rmSync(join(repository.path, 'sub'), { recursive: true });
    rmSync(join(repository.path, 'was-file'));
    repository.write({ 'was-file/inside.txt': 'now a folder' });
    renameSync(join(repository.path, 'was-folder'), join(folder.path, 'elsewhere'));
    symlinkSync('../elsewhere', join(repository.path, 'was-folder'));
    assert.deepEqual(names(save()), [
      '.bindery-removed.json',
      'changed.txt',
      'new/deep/n\\nu.txt',
      'run.sh',
      'was-file/inside.txt',
      'was-folder',
    ]);
    const told = restore(save(), LIMIT, fresh, join(folder.path, 'target'));
    assert.deepEqual([told.code, told.out], [0, { files: 5, removed: 2 }], told.said);
    assert.equal(readFileSync(target('kept.txt'), 'utf8'), 'kept');
    assert.equal(readFileSync(target('changed.txt'), 'utf8'), 'committed in the session');
    assert.equal(readFileSync(target('new/deep/n\nu.txt'), 'utf8'), 'new');
    assert.equal(readFileSync(target('was-file/inside.txt'), 'utf8'), 'now a folder');
    assert.equal(readlinkSync(target('was-folder')), '../elsewhere');
    assert.equal(existsSync(target('sub')), false, 'a folder that is empty goes too');
    assert.equal(lstatSync(target('run.sh')).mode & 0o777, 0o755);
  });

  it('holds what was changed in submodules and in repositories cloned inside, without their .git', () => {
    const library = new Repository(join(folder.path, 'library'));
    library.commit({ 'code.py': 'one' });
    repository.git('-c', 'protocol.file.allow=always', 'submodule', 'add', '--quiet', library.url, 'library');
    commit = repository.commit({});
    repository.write({ 'library/code.py': 'two', 'library/more.py': 'three' });
    new Repository(join(repository.path, 'cloned')).commit({ 'file.txt': 'mine' });
    assert.deepEqual(names(save()), ['cloned/file.txt', 'library/code.py', 'library/more.py']);
  });

  it('saves the small files where there is no room for all, and says so', () => {
    repository.write({ 'a-large.bin': Buffer.alloc(100_000), 'b-small.txt': 'small', 'c-medium.bin': Buffer.alloc(5000) });
    assert.deepEqual(names(save(20_000)), ['b-small.txt', 'c-medium.bin']);
    const { stderr } = spawnSync('python3', [...script('save.py'), commit, '20000'], { cwd: repository.path, encoding: 'utf8' });
    assert.equal(stderr, "1 left out, 'a-large.bin' among them\n");
  });

  it('holds all files where the session broke its .git', () => {
    rmSync(join(repository.path, '.git/HEAD'));
    assert.ok(names(save()).includes('kept.txt'));
    assert.ok(!names(save()).some((name) => name.startsWith('.git/')));
  });

  for (const [what, code, said] of [
    ['a path that climbs', 'add("../out.txt")', /does not lie in the repository's folder/],
    ['an absolute path', 'add("/tmp/bindery-out.txt")', /does not lie/],
    ["Git's own folder", 'add(".git/hooks/post-checkout")', /does not lie/],
    ["Git's own folder in a submodule", 'add("library/.git/config")', /does not lie/],
    ['a device', 'add("null", b"", type=tarfile.CHRTYPE, devmajor=1, devminor=3)', /neither a file nor a link/],
    ['a pipe', 'add("pipe", b"", type=tarfile.FIFOTYPE)', /neither a file nor a link/],
    ['a hard link', 'add("link", b"", type=tarfile.LNKTYPE, linkname="/etc/passwd")', /neither a file nor a link/],
    ['a removal that climbs', 'add(".bindery-removed.json", b\'["../session/kept.txt"]\')', /does not lie/],
    ['a list that is none', 'add(".bindery-removed.json", b"[" * 100000)', /./],
  ] as const)
    it(`refuses ${what}`, () => {
      const told = restore(hostile(code));
      assert.equal(told.code, 3, told.said);
      assert.match(told.said, said);
      assert.doesNotMatch(told.said, /Traceback/);
      assert.equal(readFileSync(join(repository.path, 'kept.txt'), 'utf8'), 'kept');
      assert.equal(existsSync('/tmp/bindery-out.txt'), false);
    });

  it('writes through no link: neither one of the archive nor one of the repository', () => {
    mkdirSync(join(folder.path, 'outside'));
    mkdirSync(target(''), { recursive: true });
    symlinkSync(join(folder.path, 'outside'), target('theirs'));
    const outside = JSON.stringify(join(folder.path, 'outside'));
    const told = restore(
      hostile(`add("mine", b"", type=tarfile.SYMTYPE, linkname=${outside})
add("mine/file.txt")
add("theirs/file.txt")
add("file", b"", type=tarfile.SYMTYPE, linkname=${outside} + "/new.txt")
add("file", b"content")`),
    );
    assert.deepEqual([told.code, told.out], [0, { files: 5, removed: 0 }], told.said);
    assert.deepEqual(execFileSync('ls', [join(folder.path, 'outside')], { encoding: 'utf8' }), '');
    assert.equal(readFileSync(target('file'), 'utf8'), 'content');
    assert.ok(lstatSync(target('mine')).isDirectory());
  });

  it('removes nothing that a link leads to', () => {
    mkdirSync(target(''), { recursive: true });
    symlinkSync(repository.path, target('link'));
    assert.deepEqual(restore(hostile('add(".bindery-removed.json", b\'["link/kept.txt"]\')')).out, { files: 0, removed: 0 });
    assert.ok(existsSync(join(repository.path, 'kept.txt')));
  });

  it('keeps no set-user bits', () => {
    restore(hostile('add("tool", mode=0o4755)'));
    assert.equal(lstatSync(target('tool')).mode & 0o7777, 0o755);
  });

  it('refuses what unpacks to more than a session may write', () => {
    const many = hostile('zeros = b"\\0" * (1 << 20)\nfor n in range(10): add(f"{n}.bin", zeros)');
    const header = hostile('info = tarfile.TarInfo("x")\ninfo.pax_headers = {"comment": "c" * (10 << 20)}\narchive.addfile(info)');
    for (const archive of [many, hostile('add("big", b"\\0" * (10 << 20))'), header]) {
      assert.ok(archive.length < 1 << 20);
      const told = restore(archive);
      assert.equal(told.code, 3, told.said);
      assert.match(told.said, /more than a session may write/);
    }
  });

  it('refuses what is no archive, and one that was cut', () => {
    assert.equal(restore(Buffer.from('not an archive')).code, 3);
    const whole = hostile('add("file", bytes(range(256)) * 4096)');
    assert.equal(restore(whole.subarray(0, whole.length / 2)).code, 3);
  });
});
