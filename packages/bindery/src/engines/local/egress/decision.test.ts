import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as holds, property, string } from 'fast-check';
import { decider, parseAuthority, type Target } from './decision.ts';

const NAMES: Record<string, string[]> = {
  'public.test': ['8.8.8.8', '2606:4700::1111'],
  'private.test': ['10.1.2.3'],
  'mixed.test': ['8.8.8.8', '127.0.0.1'],
  'loop.test': ['127.0.0.1'],
  'meta.test': ['169.254.169.254'],
  'own.test': ['9.9.9.9'],
  localhost: ['127.0.0.1', '::1'],
};
const decide = (target: Target, allowHosts: Target[] = []) =>
  decider({
    allowHosts,
    lookup: async (name) => {
      const found = NAMES[name];
      if (!found) throw new Error('ENOTFOUND');
      return found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    },
    ownAddresses: () => ['9.9.9.9'],
  })(target);

test('a public name gets all its addresses', async () => {
  assert.deepEqual(await decide({ host: 'public.test', port: 8443 }), {
    ok: true,
    addresses: [
      { address: '8.8.8.8', family: 4 },
      { address: '2606:4700::1111', family: 6 },
    ],
  });
});

test('one closed address among the answers closes the name', async () => {
  for (const host of [
    'private.test',
    'mixed.test',
    'loop.test',
    'meta.test',
    'own.test',
    'localhost',
    '10.0.0.1',
    '::1',
    '::ffff:10.0.0.1',
  ])
    assert.equal(((await decide({ host, port: 443 })) as { status: number }).status, 403, host);
});

test('a refusal says what the address is, but not the address that was found', async () => {
  const verdict = await decide({ host: 'private.test', port: 443 });
  assert.ok(!verdict.ok);
  assert.equal(verdict.why, 'private.test is in a private network');
  assert.ok(!JSON.stringify(verdict).includes('10.1.2.3'));
});

test('a configured host is open wherever it is, on its port alone, but its name opens no loopback or metadata', async () => {
  const open = async (host: string, port: number, allowed: Target) => (await decide({ host, port }, [allowed])).ok;
  assert.equal(await open('private.test', 443, { host: 'private.test', port: 443 }), true);
  assert.equal(await open('own.test', 443, { host: 'own.test', port: 443 }), true);
  assert.equal(await open('private.test', 80, { host: 'private.test', port: 443 }), false);
  assert.equal(await open('loop.test', 443, { host: 'loop.test', port: 443 }), false);
  assert.equal(await open('meta.test', 443, { host: 'meta.test', port: 443 }), false);
  assert.equal(await open('mixed.test', 443, { host: 'mixed.test', port: 443 }), false);
  assert.equal(await open('127.0.0.1', 3141, { host: '127.0.0.1', port: 3141 }), true);
  assert.equal(await open('localhost', 3141, { host: 'localhost', port: 3141 }), true);
  assert.equal(await open('127.0.0.2', 3141, { host: '127.0.0.1', port: 3141 }), false);
});

test('port 25 is closed, and a name that is not there says so', async () => {
  assert.equal(((await decide({ host: 'public.test', port: 25 })) as { why: string }).why, 'Port 25 (mail) is closed');
  const missing = await decide({ host: 'missing.test', port: 443 });
  assert.deepEqual(missing, { ok: false, status: 502, why: 'There is no address for the name missing.test', hint: 'Check the spelling.' });
});

test('an authority is parsed strictly', () => {
  assert.deepEqual(parseAuthority('Example.ORG.:443'), { host: 'example.org', port: 443 });
  assert.deepEqual(parseAuthority('[2606:4700::1111]:443'), { host: '2606:4700::1111', port: 443 });
  assert.deepEqual(parseAuthority('a_b.test', 80), { host: 'a_b.test', port: 80 });
  for (const bad of [
    '',
    ':443',
    'a',
    'a:0',
    'a:65536',
    'a:-1',
    'a:1:2',
    '[::1]',
    '[1.2.3.4]:1',
    '[fe80::1%eth0]:1',
    'a b:1',
    'u@h:1',
    'a\r\nb:1',
    '.:1',
    '-x:1',
    `${'a'.repeat(254)}:1`,
    'a:443 ',
  ])
    assert.equal(parseAuthority(bad), undefined, bad);
});

test('whatever is sent as an authority, what comes out is a plain host and a port', () => {
  holds(
    property(string({ maxLength: 300 }), (text) => {
      const target = parseAuthority(text, 80);
      return target === undefined || (/^[a-z0-9._:-]+$/.test(target.host) && target.port > 0 && target.port < 65536);
    }),
  );
});
