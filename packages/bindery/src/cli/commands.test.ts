import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { LaunchEvent } from '@bindery/wire/events.ts';
import type { Check } from './doctor-checks.ts';
import { doctorText } from './doctor.ts';
import { plain } from './terminal.ts';
import { NullEngine } from '../../../../test/fakes/engine.ts';
import { nullHub, type NullHub } from '../../../../test/fakes/null-hub.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const empty = mkdtempSync(join(tmpdir(), 'bindery-cli-'));
after(() => rmSync(empty, { recursive: true, force: true }));

interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Running {
  readonly done: Promise<Result>;
  /** Fulfilled once stdout holds this text. */
  says(text: string): Promise<void>;
  kill(signal: NodeJS.Signals): void;
}

function start(...words: string[]): Running {
  const env = { PATH: process.env['PATH'] ?? '', HOME: empty, XDG_CONFIG_HOME: empty };
  const child = spawn(process.execPath, [MAIN, ...words], { env, stdio: ['ignore', 'pipe', 'pipe'], cwd: empty });
  const text = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (text.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (text.stderr += chunk.toString()));
  const done = new Promise<Result>((resolve) => child.on('close', (code) => resolve({ code, ...text })));
  return {
    done,
    kill: (signal) => child.kill(signal),
    says: (wanted) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (text.stdout.includes(wanted)) resolve();
        };
        child.stdout.on('data', look);
        child.on('close', () => reject(new Error(`ended without saying ${wanted}: ${text.stdout}\n${text.stderr}`)));
        look();
      }),
  };
}

const bindery = async (...words: string[]): Promise<Result> => start(...words).done;
const at = (hub: NullHub): string[] => ['--state', hub.state];
const eventsOf = ({ stdout }: Result): LaunchEvent[] =>
  stdout
    .trimEnd()
    .split('\n')
    .map((line) => LaunchEvent.parse(JSON.parse(line)));

describe('the command line', () => {
  it('has help with examples and exit codes for every command, on stdout', async () => {
    const { code, stdout } = await bindery('--help');
    assert.equal(code, 0);
    const names = [...stdout.matchAll(/^ {2}([a-z]+)\b.* {2}/gm)].map((match) => match[1] ?? '').filter((name) => name !== 'help');
    assert.ok(names.includes('launch') && names.includes('config'), stdout);
    const helps = await Promise.all(names.map(async (name) => bindery(name, '--help')));
    for (const help of helps) {
      assert.equal(help.code, 0);
      assert.match(help.stdout, /Examples:\n {2}bindery/);
      assert.match(help.stdout, /Exit codes: 0 done/);
      assert.match(help.stdout, /--json/);
    }
  });

  it('answers wrong usage with 2 and a suggestion, and leaves stdout alone', async () => {
    const command = await bindery('lanch');
    assert.deepEqual([command.code, command.stdout], [2, '']);
    assert.match(command.stderr, /Did you mean launch\?/);
    const option = await bindery('launch', '--detatch');
    assert.equal(option.code, 2);
    assert.match(option.stderr, /Did you mean --detach\?/);
    assert.equal((await bindery('launch', '--set', 'nonsense')).code, 2);
    const config = await bindery('config', '--set', 'hub.prot=1');
    assert.equal(config.code, 2);
    assert.match(config.stderr, /Did you mean hub\.port\?/);
  });

  it('says that there is no hub with 3, as JSON where that is asked for', async () => {
    const plain = await bindery('list', '--state', join(empty, 'none'));
    assert.deepEqual([plain.code, plain.stdout], [3, '']);
    assert.match(plain.stderr, /No hub runs on .*none[^]*bindery serve/);
    const json = await bindery('list', '--json', '--state', join(empty, 'none'));
    assert.equal(json.code, 3);
    assert.equal((JSON.parse(json.stdout) as { error: { code: string } }).error.code, 'hub_unreachable');
  });
});

describe('doctor', () => {
  it('looks at everything, names what mends what is missing, and exits with 1 where launching cannot work', async () => {
    const nowhere = 'http://127.0.0.1:1';
    const words = ['--state', join(empty, 'none'), '--set', `python.indexUrl=${nowhere}/simple`, '--set', `github.url=${nowhere}`];
    const json = await bindery('doctor', '--json', ...words);
    const { works, checks } = JSON.parse(json.stdout) as { works: boolean; checks: Check[] };
    assert.deepEqual([works, json.code], [false, 1]);
    const state = (name: string) => checks.find((check) => check.name === name)?.state;
    assert.deepEqual([state('Node'), state('Git'), state('Package index'), state('GitHub')], ['ok', 'ok', 'fail', 'note']);
    for (const check of checks) assert.ok(check.state !== 'fail' || check.mend, check.name);
    const text = doctorText(checks, plain);
    assert.match(text, /✗ Package index +\S.*\n +→ \S/);
    assert.match(text, /must be mended before repositories can be launched here\.\n$/);
  });
});

describe('commands with a hub', () => {
  it('launch --json joins it and prints its events and nothing else, to ready with url and token', async () => {
    await using hub = await nullHub();
    const result = await bindery('launch', 'user/repo', '--json', '--detach', ...at(hub));
    assert.equal(result.code, 0, result.stderr);
    const events = eventsOf(result);
    const ready = events.at(-1);
    assert.ok(ready?.phase === 'ready');
    assert.ok(ready.url?.startsWith(hub.url));
    assert.match(ready.token ?? '', /^[\w-]{22}$/);
    assert.deepEqual(
      events.map((event) => event.seq),
      events.map((_, index) => index),
    );
  });

  it('launch ends its session at Ctrl-C and leaves a hub that it only joined', async () => {
    await using hub = await nullHub();
    const running = start('launch', 'user/repo', '--json', ...at(hub));
    await running.says('"phase":"ready"');
    assert.equal((JSON.parse((await bindery('list', '--json', ...at(hub))).stdout) as { sessions: unknown[] }).sessions.length, 1);
    running.kill('SIGINT');
    assert.equal((await running.done).code, 0);
    assert.deepEqual(JSON.parse((await bindery('list', '--json', ...at(hub))).stdout), { sessions: [] });
  });

  it('launch tells a failure with its hint and exit code 1, in JSON as the last event', async () => {
    await using hub = await nullHub();
    const plain = await bindery('launch', 'user/broken', ...at(hub));
    assert.equal(plain.code, 1);
    assert.match(plain.stderr, /✗ .*\n[^]*→ /);
    const json = await bindery('launch', 'user/broken', '--json', ...at(hub));
    assert.equal(json.code, 1);
    assert.equal(eventsOf(json).at(-1)?.phase, 'failed');
  });

  it('launch --json ends with a failed event also when the launch never began', async () => {
    await using hub = await nullHub();
    const result = await bindery('launch', 'not a link', '--json', ...at(hub));
    const [event, ...more] = eventsOf(result);
    assert.ok(event?.phase === 'failed' && more.length === 0);
    assert.deepEqual([result.code, event.code], [1, 'link_invalid']);
  });

  it('launch says in red words when nothing is isolated', async () => {
    const engine = await NullEngine.start({ isolated: false });
    {
      await using hub = await nullHub({ engine });
      const strange = await bindery('launch', 'user/repo', '--detach', ...at(hub));
      assert.equal(strange.code, 1);
      assert.match(strange.stderr, /cannot isolate[^]*--trust/);
      const trusted = await bindery('launch', 'user/repo', '--detach', '--trust', ...at(hub));
      assert.equal(trusted.code, 0, trusted.stderr);
      assert.match(trusted.stderr, /Not isolated: what this repository holds runs as you/);
      assert.match((await bindery('list', ...at(hub))).stdout, /running, not isolated/);
    }
    await engine.end();
  });

  it('launch tells why the hub that it starts does not start', async () => {
    const words = ['launch', '--state', join(empty, 'own'), '--set', 'hub.host=192.0.2.1', '--no-open'];
    const [plain, json] = [await bindery(...words), await bindery(...words, '--json')];
    assert.equal(plain.code, 2);
    assert.match(plain.stderr, /✗ A hub on 192\.0\.2\.1 needs[^]*→ Set hub\.publicUrl/);
    const event = eventsOf(json).at(-1);
    assert.ok(event?.phase === 'failed' && event.code === 'config_invalid');
  });

  it('build ends without a session', async () => {
    await using hub = await nullHub();
    const result = await bindery('build', 'user/repo', '--json', ...at(hub));
    const last = eventsOf(result).at(-1);
    assert.ok(last?.phase === 'ready' && last.sessionId === undefined);
    assert.equal(result.code, 0);
  });

  it('list, logs, open and stop know a session by the beginning of its id', async () => {
    await using hub = await nullHub();
    const ready = eventsOf(await bindery('launch', 'user/repo', '--json', '--detach', ...at(hub))).at(-1);
    assert.ok(ready?.phase === 'ready' && ready.sessionId);
    const short = ready.sessionId.slice(0, 6);
    const [list, open, logs, odd] = await Promise.all([
      bindery('list', ...at(hub)),
      bindery('open', short, '--no-open', ...at(hub)),
      bindery('logs', short, '--json', ...at(hub)),
      bindery('logs', '0000', ...at(hub)),
    ]);
    assert.match(list.stdout, new RegExp(`^SESSION.*\\n${ready.sessionId} +running`));
    assert.match(open.stdout, new RegExp(`^http://localhost:\\d+/-/enter\\?code=[\\w-]+&next=/open/${ready.sessionId}\n$`));
    assert.equal((JSON.parse(logs.stdout) as { id: string }).id, ready.sessionId);
    assert.equal(odd.code, 1);
    assert.match(odd.stderr, new RegExp(`There is no session "0000"[^]*${ready.sessionId}`));
    const stop = await bindery('stop', short, ...at(hub));
    assert.match(stop.stderr, new RegExp(`Ended ${ready.sessionId}`));
    assert.match((await bindery('list', '--all', ...at(hub))).stdout, /ended: stopped/);
  });

  it('stop wants exactly one of id, --all and --hub', async () => {
    assert.equal((await bindery('stop')).code, 2);
    assert.equal((await bindery('stop', 'abc', '--all')).code, 2);
  });

  it('refuses a hub that does not know the key', async () => {
    await using hub = await nullHub();
    const { writeFileSync } = await import('node:fs');
    writeFileSync(join(hub.state, 'hub.key'), `${'x'.repeat(32)}\n`);
    const result = await bindery('list', ...at(hub));
    assert.equal(result.code, 3);
    assert.match(result.stderr, /does not know the key/);
  });
});
