// What runs where no sandbox works, and what does not: the real command line with session.sandbox off, as a user without any rights.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chownSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LaunchEvent, type FailedEvent, type ReadyEvent } from '@bindery/wire/events.ts';
import { isAlive, type ProcessIdentity } from '../../packages/bindery/src/base/process-identity.ts';
import { GitServer } from '../fakes/git-server.ts';
import { Kernel, type Door } from '../fakes/kernel.ts';
import { Repository, TemporaryFolder } from '../fakes/repository.ts';
import { asNobody, NOBODY, shown } from '../fakes/unprivileged.ts';
import { until } from '../fakes/until.ts';

const ROOT = process.getuid?.() === 0;
const MAIN = fileURLToPath(new URL('../../packages/bindery/src/main.ts', import.meta.url));
const OFF = ['--set', 'session.sandbox=off'];

interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line to its end: lowered, where these tests run as root. */
async function bindery(words: readonly string[], { home, lowered = ROOT }: { home: string; lowered?: boolean }): Promise<Result> {
  const kept = ['PATH', 'SSL_CERT_FILE', 'HTTPS_PROXY', 'HTTP_PROXY', 'NO_PROXY', 'PIP_INDEX_URL', 'UV_DEFAULT_INDEX'];
  const variables = kept.flatMap((name) => (process.env[name] ? [`${name}=${process.env[name]}`] : []));
  const at = lowered ? shown : (path: string): string => path;
  const program = ['env', '-i', `HOME=${home}`, 'MY_SECRET=1', ...variables, at(process.execPath), at(MAIN), ...words];
  const [command = '', ...args] = [...(lowered ? asNobody() : []), ...program];
  const child = spawn(command, args, { cwd: '/', stdio: ['ignore', 'pipe', 'pipe'], timeout: 280_000 });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: code as number | null, stdout, stderr };
}

function events({ stdout }: Result): LaunchEvent[] {
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.map((line) => LaunchEvent.parse(JSON.parse(line)));
}

describe('without a sandbox', () => {
  const folder = new TemporaryFolder();
  const home = join(folder.path, 'home');
  const state = join(home, 'state');
  // its environments lie elsewhere than those for sandboxes, but uv and what it fetched are the same for all tests
  const cache = join(tmpdir(), `bindery-tests-${ROOT ? NOBODY : process.getuid?.()}`);
  const hub = ['--state', state, '--set', `folders.cache=${cache}`, ...OFF];
  const run = (...words: string[]): Promise<Result> => bindery([...words, ...hub], { home });
  let session: Door & ReadyEvent;
  let told: readonly LaunchEvent[];

  const launch = async (...words: string[]): Promise<Door & ReadyEvent> => {
    const result = await run('launch', '--json', '--detach', '--port', '0', ...words);
    told = events(result);
    const last = told.at(-1);
    assert.ok(last?.phase === 'ready' && last.url && last.token, JSON.stringify([result.stderr, ...told.slice(-5)], undefined, 1));
    return { ...last, url: last.url, token: last.token };
  };
  const refused = async (...words: string[]): Promise<FailedEvent> => {
    const last = events(await run('launch', '--json', '--detach', '--port', '0', ...words)).at(-1);
    assert.ok(last?.phase === 'failed', JSON.stringify(last));
    return last;
  };
  const sessionFile = (name: string, { sessionId = '' }: ReadyEvent = session): string => join(state, 'sessions', sessionId, name);

  before(async () => {
    for (const path of [home, cache]) mkdirSync(path, { recursive: true, mode: 0o755 });
    if (ROOT) for (const path of [folder.path, home, cache]) chownSync(path, NOBODY, NOBODY);
    session = await launch();
  });
  after(async () => {
    await run('stop', '--hub');
    folder[Symbol.dispose]();
  });

  it('the bundled example opens, said to be not isolated wherever it is shown', async () => {
    assert.match(told.map((event) => ('message' in event ? event.message : '')).join('\n'), /Not isolated: .* runs as you/);
    assert.match((await run('list')).stdout, new RegExp(`${session.sessionId} +running, not isolated`));
    const { checks } = JSON.parse((await run('doctor', '--json')).stdout) as { checks: { name: string; state: string; found: string }[] };
    const found = checks.find(({ name }) => name === 'Sandbox');
    assert.equal(found?.state, 'note');
    assert.match(found?.found ?? '', /run, as you and not isolated/);
  });

  it('a cell runs as the user, in a folder of the session, with the example’s package and no variable of the hub’s', async () => {
    using kernel = await Kernel.start(session);
    const seen = await kernel.execute('import os, numpy; print(os.getuid(), os.getcwd(), os.environ["HOME"], "MY_SECRET" in os.environ)');
    assert.equal(seen, `${ROOT ? NOBODY : process.getuid?.()} ${sessionFile('home')} ${sessionFile('home')} False`);
  });

  it('what is installed belongs to the session alone, by %pip and in a terminal, new or in another version', async () => {
    using kernel = await Kernel.start(session);
    await kernel.execute('%pip install --quiet iniconfig six==1.16.0');
    const where = await kernel.execute('import iniconfig, six; print(iniconfig.__file__, six.__version__)');
    assert.ok(where.startsWith(sessionFile('venv')) && where.endsWith(' 1.16.0'), where);
    assert.equal(await kernel.execute('import shutil; print(shutil.which("pip"))'), sessionFile('venv/bin/pip'));
    assert.match(await kernel.execute('!pip show six | grep Version; python -c "import iniconfig, numpy; print(42)"'), /1\.16\.0\s+42$/);
  });

  it('the shared environment stays as it is, and shares no file with the store', async () => {
    using kernel = await Kernel.start(session);
    const write = 'import numpy, os\ntry: open(numpy.__file__, "a")\nexcept OSError as error: print(type(error).__name__)\n';
    assert.equal(
      await kernel.execute(`${write}os.remove(numpy.__file__)`),
      `PermissionError\nPermissionError: [Errno 13] Permission denied: '${await numpy(kernel)}'`,
    );
    const prefix = realpathSync(join(cache, 'environments', session.environmentId, 'prefix'));
    const files = readdirSync(prefix, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    assert.ok(files.length > 1000);
    for (const { parentPath, name } of files) assert.equal(lstatSync(join(parentPath, name)).nlink, 1, name);
  });

  it(
    'an own folder with a package of its own, editable, and a postBuild: the session has its own copy of all',
    { timeout: 300_000 },
    async () => {
      const repository = new Repository(join(folder.path, 'own'));
      repository.commit({
        'requirements.txt': '-e .\n',
        'setup.py': 'from setuptools import setup\nsetup(name="tide", version="1", py_modules=["tide"])\n',
        'tide.py': 'HIGH = 1\n',
        postBuild: 'python -c "import tide; print(tide.HIGH)" > built.txt\n',
      });
      if (ROOT)
        for (const path of ['.', ...(readdirSync(repository.path, { recursive: true }) as string[])])
          chownSync(join(repository.path, path), NOBODY, NOBODY);
      const own = await launch(repository.path);
      using kernel = await Kernel.start(own);
      const file = sessionFile('home/tide.py', own);
      assert.equal(await kernel.execute('import tide; print(open("built.txt").read().strip(), tide.__file__)'), `1 ${file}`);
      await kernel.execute('open("tide.py", "w").write("HIGH = 2\\n")');
      assert.equal(await kernel.execute('!python -c "import tide; print(tide.HIGH)"'), '2');
      assert.equal(readFileSync(join(repository.path, 'tide.py'), 'utf8'), 'HIGH = 1\n');
    },
  );

  it('a repository from elsewhere runs only with --trust, and nothing of it runs before', { timeout: 300_000 }, async () => {
    await using server = await GitServer.start(folder.path);
    new Repository(join(folder.path, 'elsewhere')).commit({ 'a.txt': 'a' });
    const link = `${server.url}/elsewhere/.git`;
    const failed = await refused(link);
    assert.deepEqual([failed.code, failed.during], ['sandbox_unavailable', 'resolving']);
    assert.match(failed.hint, /--trust/);
    assert.deepEqual(server.requests, []);
    const trusted = await launch(link, '--trust');
    using kernel = await Kernel.start(trusted);
    assert.equal(await kernel.execute('print(open("a.txt").read())'), 'a');
  });

  it('pages and links launch nothing, not even an own folder', async () => {
    const hubUrl = new URL(session.url).origin;
    const key = readFileSync(join(state, 'hub.key'), 'utf8').trim();
    const enter = JSON.parse((await run('open', '--json')).stdout) as { url: string };
    const cookie = (await fetch(enter.url, { redirect: 'manual' })).headers.getSetCookie()[0]?.split(';')[0] ?? '';
    const page = { cookie, origin: hubUrl, 'content-type': 'application/json' };
    for (const link of [folder.path, 'user/repo']) {
      const body = JSON.stringify({ link, options: { trust: true } });
      const answer = await fetch(`${hubUrl}/api/v1/launches`, { method: 'POST', headers: page, body });
      assert.equal(answer.status, 403, link);
      assert.match(await answer.text(), /sandbox_unavailable/);
    }
    const build = await fetch(`${hubUrl}/build/gh/user/repo/HEAD`, {
      headers: { authorization: `Bearer ${key}`, accept: 'text/event-stream' },
    });
    assert.match(await build.text(), /cannot isolate/);
  });

  it('nobody else is served, root starts no hub, and no promise about the network is broken', { timeout: 120_000 }, async () => {
    const other = [...OFF, '--state', join(home, 'other'), '--port', '0'];
    const open = await bindery(['serve', ...other, '--set', 'hub.host=0.0.0.0', '--set', `folders.cache=${cache}`], { home });
    assert.notEqual(open.code, 0);
    assert.match(open.stderr, /No sandbox works on this machine, so the hub does not serve others/);
    if (ROOT) {
      const asRoot = await bindery(['launch', '--no-open', ...OFF, '--state', join(folder.path, 'root')], { home, lowered: false });
      assert.notEqual(asRoot.code, 0);
      assert.match(asRoot.stderr, /a hub that was started as root runs nothing[\s\S]*ordinary user/);
    }
    const closed = await bindery(['launch', '--json', ...other, '--set', 'session.network=none', '--set', `folders.cache=${cache}`], {
      home,
    });
    const last = events(closed).at(-1);
    assert.ok(last?.phase === 'failed' && last.code === 'sandbox_unavailable', JSON.stringify(last));
  });

  it('a stop saves changed files, and ends and removes all that the session had', async () => {
    using kernel = await Kernel.start(session);
    await kernel.execute('import subprocess; left = subprocess.Popen(["setsid", "sleep", "600"]); open("mine.txt", "w").write("kept")');
    const pid = Number(await kernel.execute('print(left.pid)'));
    const tmp = await kernel.execute('import os; print(os.environ["TMPDIR"])');
    assert.ok(existsSync(`/proc/${pid}`) && existsSync(tmp));
    assert.equal((await run('stop', session.sessionId ?? '')).code, 0);
    await until('the process has ended', () => !existsSync(`/proc/${pid}`), { withinMs: 10_000 });
    for (const path of [tmp, sessionFile('venv'), sessionFile('home')]) assert.ok(!existsSync(path), path);
    const again = await launch('--restore', session.sessionId ?? '');
    using next = await Kernel.start(again);
    assert.equal(await next.execute('print(open("mine.txt").read())'), 'kept');
  });

  it(
    'a session survives its hub; when its supervisor is killed, all of it ends and its files are saved',
    { timeout: 120_000 },
    async () => {
      const survivor = await launch();
      const record = JSON.parse(readFileSync(join(state, 'hub.json'), 'utf8')) as ProcessIdentity;
      process.kill(record.pid, 'SIGKILL');
      await until('the hub is gone', () => !isAlive(record), { withinMs: 30_000 });
      assert.match((await run('launch', '--json', '--detach', '--port', '0')).stdout, /"phase":"ready"/);
      assert.match((await run('list')).stdout, new RegExp(`${survivor.sessionId} +running, not isolated`));
      const hubUrl = (JSON.parse(readFileSync(join(state, 'hub.json'), 'utf8')) as { url: string }).url;
      const door = { url: `${hubUrl}/s/${survivor.sessionId}/`, token: survivor.token };
      using kernel = await Kernel.start(door);
      const pid = Number(await kernel.execute('import os; open("mine.txt", "w").write("kept"); print(os.getpid())'));
      const family = (): string => readFileSync(sessionFile('family.json', survivor), 'utf8');
      await until('the kernel is known', () => family().includes(`[${pid},`), { withinMs: 30_000 });
      process.kill((JSON.parse(readFileSync(sessionFile('process.json', survivor), 'utf8')) as ProcessIdentity).pid, 'SIGKILL');
      await until('the session has ended', () => existsSync(sessionFile('ended.json', survivor)), { withinMs: 30_000 });
      // One that was killed stays in the table until init, whose child it is now, has taken note.
      await until('the kernel has ended', () => !existsSync(`/proc/${pid}`), { withinMs: 10_000 });
      assert.ok(existsSync(join(state, 'saved', `${survivor.sessionId}.tar.gz`)));
    },
  );
});

async function numpy(kernel: Kernel): Promise<string> {
  return kernel.execute('print(numpy.__file__)');
}
