import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseLink } from '@bindery/wire/link.ts';
import { stageContext } from '../../../../test/fakes/context.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import { Flight } from '../base/flight.ts';
import type { Clock } from '../base/clock.ts';
import type { Provider } from '../contracts/provider.ts';
import type { Source } from '../contracts/source.ts';
import { resolve } from './resolve.ts';

const source: Source = { provider: 'gh', slug: 'a/b', url: 'https://github.com/a/b', ref: 'f'.repeat(40), note: 'look here' };

/** A provider that counts how often it is asked. */
function counting(answer: () => Promise<Source>): Provider & { asked: number } {
  const provider = {
    id: 'gh',
    displayName: 'GitHub',
    asked: 0,
    parse: () => ({ slug: 'a/b', repository: source.url, ref: 'HEAD' }),
    resolve: async () => {
      provider.asked += 1;
      return answer();
    },
  };
  return provider;
}

function standing(): Clock & { time: number } {
  const clock = { time: 0, now: () => clock.time, monotonic: () => clock.time };
  return clock;
}

test('one link is resolved at most once a second, whatever comes out', async () => {
  for (const answer of [async () => source, async () => Promise.reject(new BinderyError('ref_not_found', 'no'))]) {
    const clock = standing();
    const provider = counting(answer);
    const context = stageContext('/nowhere', { clock, sources: new Flight(clock, 1000), providers: new Map([['gh', provider]]) });
    const ask = (text: string): Promise<unknown> => resolve(parseLink(text), context).catch((error: unknown) => error);
    await Promise.all([ask('a/b'), ask('a/b'), ask('https://github.com/a/b')]);
    clock.time = 999;
    await ask('a/b');
    assert.equal(provider.asked, 1);
    await ask('a/b/main');
    assert.equal(provider.asked, 2);
    clock.time = 1001;
    await ask('a/b');
    assert.equal(provider.asked, 3);
  }
});

test('what is being looked up and what was found is told', async () => {
  const context = stageContext('/nowhere', { providers: new Map([['gh', counting(async () => source)]]) });
  assert.equal(await resolve(parseLink('a/b/main'), context), source);
  assert.deepEqual(
    context.events.map(({ phase, kind, message }) => [phase, kind, message]),
    [
      ['resolving', 'begin', 'Looking up a/b at main'],
      ['resolving', 'info', 'look here'],
      ['resolving', 'done', 'a/b is at commit ffffffffff'],
    ],
  );
  assert.deepEqual(context.events.at(-1)?.source, { provider: 'gh', url: source.url, ref: source.ref });
});

test('I4: a hiccup of the host is tried again, and told', async () => {
  const answers = [Promise.reject(new BinderyError('upstream_unreachable', 'The host is gone.')), Promise.resolve(source)];
  for (const answer of answers) answer.catch(() => {});
  const provider = counting(() => answers.shift() ?? assert.fail('asked too often'));
  const context = stageContext('/nowhere', { providers: new Map([['gh', provider]]) });
  assert.equal(await resolve(parseLink('a/b'), context), source);
  assert.equal(context.events[1]?.message, 'The host is gone. Trying again.');
});

test('a kind of link that this hub does not offer is named', async () => {
  const context = stageContext('/nowhere', { providers: new Map([['gh', counting(async () => source)]]) });
  await assert.rejects(resolve(parseLink('10.5281/zenodo.3242074'), context), {
    code: 'provider_unknown',
    message: /zenodo.* not offered by this hub yet/,
    hint: /gh links/,
  });
});
