import assert from 'node:assert/strict';
import { test } from 'node:test';
import { publicHostsOnly } from './git-hosts.ts';

const NAMES: Readonly<Record<string, readonly string[]>> = {
  'public.example': ['93.184.215.14'],
  'six.example': ['2606:2800:21f:cb07:6820:80da:af6b:8b2c'],
  'two.example': ['93.184.215.14', '93.184.215.15'],
  'inner.example': ['10.0.0.5'],
  'both.example': ['93.184.215.14', '127.0.0.1'],
};
const find = async (host: string): Promise<string[]> => [...(NAMES[host] ?? [])];
const settings = async (url: string, proxies: Readonly<Record<string, string>> = {}): Promise<string> =>
  (await publicHostsOnly(proxies, find)(url)).filter((word) => word !== '-c').join(' ');

test('git is bound to the public address that was looked up, and follows no redirect', async () => {
  assert.equal(
    await settings('https://public.example/a'),
    'http.followRedirects=false http.curloptResolve=public.example:443:93.184.215.14',
  );
  assert.equal(
    await settings('http://six.example:8080/a'),
    'http.followRedirects=false http.curloptResolve=six.example:8080:[2606:2800:21f:cb07:6820:80da:af6b:8b2c]',
  );
  assert.equal(
    await settings('https://two.example/a'),
    'http.followRedirects=false http.curloptResolve=two.example:443:93.184.215.14,93.184.215.15',
  );
  assert.equal(await settings('https://93.184.215.14/a'), 'http.followRedirects=false');
});

test('what is not public is refused, however it is written', async () => {
  for (const host of [
    'inner.example',
    'both.example',
    '127.0.0.1',
    '[::1]',
    '169.254.169.254',
    '192.168.1.1',
    '[::ffff:10.0.0.1]',
    '2130706433',
    '0x7f.1',
    '0',
  ])
    for (const scheme of ['https', 'http'])
      await assert.rejects(settings(`${scheme}://${host}/a`), { code: 'link_forbidden', retryable: false }, host);
  for (const url of ['ssh://git@inner.example/a', 'git://public.example/a'])
    await assert.rejects(settings(url), { code: 'link_forbidden' }, url);
});

test("a name without an address is not left to git, which might find one; a company's proxy decides for itself", async () => {
  await assert.rejects(settings('https://unknown.example/a'), { code: 'upstream_unreachable', message: /unknown\.example/ });
  assert.equal(await settings('https://inner.example/a', { https_proxy: 'http://proxy:3128' }), 'http.followRedirects=false');
  await assert.rejects(settings('ssh://inner.example/a', { https_proxy: 'http://proxy:3128' }), { code: 'link_forbidden' });
});
