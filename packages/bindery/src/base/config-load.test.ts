import assert from 'node:assert/strict';
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { BinderyError } from '@bindery/wire/errors.ts';
import { configKeys, nearest } from './config-keys.ts';
import { loadConfig } from './config-load.ts';
import { redactAddress, showConfig } from './config-show.ts';

const folder = mkdtempSync(join(tmpdir(), 'bindery-config-'));
after(() => rmSync(folder, { recursive: true }));
const bare = { XDG_CONFIG_HOME: folder };

function yaml(text: string): string {
  const file = join(folder, `${Math.random()}.yaml`);
  writeFileSync(file, text);
  return file;
}

function problems(load: () => unknown): string {
  try {
    load();
  } catch (error) {
    assert.ok(error instanceof BinderyError);
    assert.equal(error.code, 'config_invalid');
    return error.message;
  }
  return assert.fail('expected config_invalid');
}

describe('loading the configuration', () => {
  it('has a value for everything without any source', () => {
    const { config, file, origins } = loadConfig({ env: bare });
    assert.equal(config.hub.port, 8585);
    assert.equal(file, undefined);
    assert.equal(origins.size, 0);
  });

  it('lets flags win over the environment, and that over the file', () => {
    const file = yaml('hub: {port: 1, log: info}\nsession:\n  idle: 60\n  network: none\n');
    const loaded = loadConfig({ file, env: { ...bare, BINDERY_HUB_PORT: '2', BINDERY_SESSION_IDLE: '90' }, flags: { 'hub.port': '3' } });
    assert.deepEqual([loaded.config.hub.port, loaded.config.session.idle, loaded.config.hub.log], [3, 90, 'info']);
    assert.equal(loaded.config.session.network, 'none');
    assert.equal(loaded.origins.get('hub.port'), '--set hub.port');
    assert.equal(loaded.origins.get('session.idle'), 'BINDERY_SESSION_IDLE');
    assert.equal(loaded.origins.get('hub.log'), file);
  });

  it('finds the file at its usual place and by BINDERY_CONFIG', () => {
    const home = join(folder, 'xdg');
    mkdirSync(join(home, 'bindery'), { recursive: true });
    writeFileSync(join(home, 'bindery', 'config.yaml'), 'hub:\n  port: 77\n');
    assert.equal(loadConfig({ env: { XDG_CONFIG_HOME: home } }).config.hub.port, 77);
    assert.equal(loadConfig({ env: { XDG_CONFIG_HOME: home, BINDERY_CONFIG: yaml('hub: {port: 78}') } }).config.hub.port, 78);
  });

  it('reads numbers, switches, lists and folders from text', () => {
    const env = {
      ...bare,
      BINDERY_PYTHON_MANAGED: 'no',
      BINDERY_GIT_PROTOCOLS: 'https, ssh',
      BINDERY_SESSION_CPUS: '0.5',
      BINDERY_FOLDERS_STATE: 'some/where',
    };
    const { config } = loadConfig({ env });
    assert.equal(config.python.managed, false);
    assert.deepEqual(config.git.protocols, ['https', 'ssh']);
    assert.equal(config.session.cpus, 0.5);
    assert.equal(config.folders.state, join(process.cwd(), 'some/where'));
  });

  it('takes an empty variable and an empty file as not set', () => {
    assert.equal(loadConfig({ file: yaml('# nothing yet\n'), env: { ...bare, BINDERY_HUB_PORT: '' } }).config.hub.port, 8585);
    assert.equal(loadConfig({ file: yaml('hub:\n'), env: bare }).config.hub.port, 8585);
  });

  it('names an unknown key with its place and what was meant', () => {
    const file = yaml('hub:\n  prot: 1\nsesion:\n  idle: 5\nport: 9\n');
    const text = problems(() => loadConfig({ file, env: bare }));
    assert.ok(text.includes(`${file}:2:3: there is no setting "hub.prot". Did you mean hub.port?`), text);
    assert.ok(text.includes(`${file}:3:1: there is no setting "sesion"`), text);
    assert.ok(text.includes(`${file}:5:1: there is no setting "port". Did you mean hub.port?`), text);
  });

  it('names an unknown variable and an unknown flag', () => {
    const text = problems(() => loadConfig({ env: { ...bare, BINDERY_HUB_PROT: '1' }, flags: { 'session.idel': '5' } }));
    assert.match(text, /BINDERY_HUB_PROT: there is no such setting\. Did you mean BINDERY_HUB_PORT\?/);
    assert.match(text, /--set session\.idel: there is no setting "session\.idel"\. Did you mean session\.idle\?/);
  });

  it('reports every bad value where it was written', () => {
    const file = yaml('hub:\n  port: 99999\nsession:\n  network: wide\n');
    const text = problems(() => loadConfig({ file, env: { ...bare, BINDERY_SESSION_IDLE: 'soon' } }));
    assert.ok(text.includes(`${file}:2:3: hub.port:`), text);
    assert.ok(text.includes(`${file}:4:3: session.network:`), text);
    assert.match(text, /BINDERY_SESSION_IDLE: /);
  });

  it('shows line and column of broken YAML, and says when the file is missing or no mapping', () => {
    const file = yaml('hub:\n  port: [1\n');
    assert.match(
      problems(() => loadConfig({ file, env: bare })),
      /\.yaml:\d+:\d+: /,
    );
    assert.match(
      problems(() => loadConfig({ file: join(folder, 'absent.yaml'), env: bare })),
      /absent\.yaml could not be read/,
    );
    assert.match(
      problems(() => loadConfig({ file: yaml('- 1\n'), env: bare })),
      /expected "section/,
    );
    assert.match(
      problems(() => loadConfig({ file: yaml('hub: 5\n'), env: bare })),
      /hub is a section/,
    );
  });

  it('is not impressed by prototype names and alias bombs', () => {
    assert.match(
      problems(() => loadConfig({ file: yaml('__proto__: {a: 1}\n'), env: bare })),
      /there is no setting/,
    );
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefgh'.replaceAll(/./g, (name) => `${name}: &${name} [${`*${String.fromCodePoint((name.codePointAt(0) ?? 0) - 1)},`.repeat(9)}]\n`)}`;
    assert.throws(() => loadConfig({ file: yaml(bomb), env: bare }));
  });
});

describe('showing the configuration', () => {
  it('hides secrets and credentials in addresses, and says where values come from', () => {
    const env = { ...bare, BINDERY_GITHUB_TOKEN: 'ghp_secret', BINDERY_PYTHON_INDEX_URL: 'https://me:pw@pypi.example/simple' };
    const shown = showConfig(loadConfig({ env }));
    const of = (key: string) => shown.find((setting) => setting.key === key);
    assert.deepEqual(of('github.token'), { key: 'github.token', value: '***', from: 'BINDERY_GITHUB_TOKEN' });
    assert.equal(of('python.indexUrl')?.value, 'https://***@pypi.example/simple');
    assert.deepEqual(of('hub.port'), { key: 'hub.port', value: 8585, from: 'default' });
    assert.ok(!JSON.stringify(shown).includes('secret'));
  });

  it('redacts user names, passwords with odd characters, and nothing else', () => {
    assert.equal(redactAddress('https://a:b@c@host/x?y=@z'), 'https://***@host/x?y=@z');
    assert.equal(redactAddress('https://host/@scope'), 'https://host/@scope');
  });
});

describe('the list of settings', () => {
  it('has a description for each and a variable of its own', () => {
    const keys = configKeys();
    for (const key of keys) assert.notEqual(key.description, '', key.key);
    assert.equal(new Set(keys.map((key) => key.env)).size, keys.length);
    assert.equal(keys.find((key) => key.key === 'python.indexUrl')?.env, 'BINDERY_PYTHON_INDEX_URL');
  });

  it('suggests what is near and nothing that is far', () => {
    assert.equal(nearest('hub.prto', ['hub.port', 'hub.host']), 'hub.port');
    assert.equal(nearest('completely.else', ['hub.port']), undefined);
  });
});
