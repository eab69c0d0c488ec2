import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressClassifier } from './addresses.ts';

const classify = addressClassifier();

test('every address that is not a host on the internet is told apart, edges included', () => {
  const table: Record<string, string[]> = {
    public: [
      '1.1.1.1',
      '9.255.255.255',
      '11.0.0.0',
      '100.63.255.255',
      '100.128.0.0',
      '172.15.255.255',
      '172.32.0.0',
      '192.167.255.255',
      '223.255.255.255',
      '2606:4700::1111',
      '2001:200::1',
      '2400::1',
      '168.63.129.15',
    ],
    metadata: [
      '169.254.169.254',
      '169.254.170.2',
      '100.100.100.200',
      '168.63.129.16',
      '192.0.0.192',
      'fd00:ec2::254',
      'FD00:EC2::254',
      'fd20:ce::254',
    ],
    loopback: ['127.0.0.1', '127.255.255.255', '0.0.0.0', '0.1.2.3', '::', '::1', '0:0:0:0:0:0:0:1'],
    'link-local': ['169.254.0.1', '169.254.255.255', 'fe80::1', 'febf::1', 'fe80::1%eth0', 'not an address'],
    private: [
      '10.0.0.1',
      '10.255.255.255',
      '100.64.0.0',
      '100.127.255.255',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      'fc00::1',
      'fdff::1',
      'fec0::1',
    ],
    special: [
      '192.0.2.1',
      '192.88.99.1',
      '198.18.0.1',
      '198.19.255.255',
      '198.51.100.1',
      '203.0.113.80',
      '224.0.0.1',
      '240.0.0.1',
      '255.255.255.255',
      '::ffff:1.1.1.1',
      '::1.1.1.1',
      '64:ff9b::a00:1',
      '64:ff9b::808:808',
      '64:ff9b:1::1',
      '2001::1',
      '2001:0:4136:e378::',
      '2001:db8::1',
      '2002:a00:1::1',
      '3fff::1',
      '100::1',
      '5f00::1',
      'ff02::1',
      '4000::1',
    ],
  };
  for (const [kind, addresses] of Object.entries(table))
    for (const address of addresses) assert.equal(classify(address, []), kind, address);
});

test('an IPv4 address in IPv6 clothes stays what it is, and is never public', () => {
  for (const [address, kind] of [
    ['::ffff:127.0.0.1', 'loopback'],
    ['::FFFF:169.254.169.254', 'metadata'],
    ['::ffff:10.0.0.1', 'private'],
    ['::ffff:8.8.8.8', 'special'],
  ] as const)
    assert.equal(classify(address, []), kind, address);
  assert.notEqual(classify('::ffff:7f00:1', []), 'public');
});

test('the addresses of this machine are its own even where they are public', () => {
  assert.equal(classify('8.8.8.8', ['8.8.8.8']), 'host');
  assert.equal(classify('2600::1', ['2600::1']), 'host');
});
