import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BinderyError } from '../../packages/wire/src/errors.ts';
import { formatV2, parseV2 } from '../../packages/wire/src/link-v2.ts';
import type { Link } from '../../packages/wire/src/link.ts';
import type { Provider } from '../../packages/bindery/src/contracts/provider.ts';

/** A provider with somewhere to look things up, and what is to be found there. */
export interface ProviderPlace extends AsyncDisposable {
  readonly provider: Provider;
  /** Spec without ref → with this ref. */
  spec(ref: string): string;
  /** A spec of the same grammar whose repository does not exist. */
  readonly missingSpec: string;
  /** Texts that are no spec of it. */
  readonly badSpecs: readonly string[];
  /** Where `main` and the annotated tag `v1` lead. */
  readonly main: string;
  readonly tagged: string;
}

/** What every provider of Git repositories must do. */
export function providerConformance(name: string, open: () => Promise<ProviderPlace>): void {
  const signal = new AbortController().signal;
  const linkOf = (provider: Provider, spec: string): Link => ({ provider: provider.id, spec, open: { kind: 'default' } });

  void test(`${name}: says who it is`, async () => {
    await using place = await open();
    assert.match(place.provider.id, /^[a-z]+$/);
    assert.ok(place.provider.displayName.length > 0);
  });

  void test(`${name}: parse gives the parts of a spec, and link_invalid for what is none`, async () => {
    await using place = await open();
    const { slug, repository, ref } = place.provider.parse(place.spec('v1'));
    assert.equal(ref, 'v1');
    assert.ok(slug.length > 0);
    assert.ok(URL.canParse(repository));
    for (const spec of place.badSpecs)
      assert.throws(
        () => place.provider.parse(spec),
        (error) => error instanceof BinderyError && (error.code === 'link_invalid' || error.code === 'link_forbidden'),
        spec,
      );
  });

  void test(`${name}: a launch address of its links reads back to the same link`, async () => {
    await using place = await open();
    for (const ref of ['main', 'feature/x', 'v1', 'ü#%']) {
      const link = linkOf(place.provider, place.spec(ref));
      const url = new URL(formatV2(link), 'http://hub.example');
      assert.deepEqual(parseV2(url.pathname, url.searchParams), link);
    }
  });

  void test(`${name}: a branch, HEAD, an annotated tag and a commit lead to commits`, async () => {
    await using place = await open();
    const commitOf = async (ref: string): Promise<string> =>
      (await place.provider.resolve(linkOf(place.provider, place.spec(ref)), signal)).ref;
    assert.equal(await commitOf('main'), place.main);
    assert.equal(await commitOf('HEAD'), place.main);
    assert.equal(await commitOf('v1'), place.tagged);
    assert.equal(await commitOf(place.tagged), place.tagged);
  });

  void test(`${name}: a source can be printed, fetched and never holds a secret`, async () => {
    await using place = await open();
    const source = await place.provider.resolve(linkOf(place.provider, place.spec('main')), signal);
    assert.equal(source.provider, place.provider.id);
    const url = new URL(source.url);
    assert.deepEqual([url.username, url.password, url.search], ['', '', '']);
    assert.match(source.ref, /^[0-9a-f]{40}$/);
  });

  void test(`${name}: a missing ref and a missing repository are the user's mistake, with a hint`, async () => {
    await using place = await open();
    const missingRef = place.provider.resolve(linkOf(place.provider, place.spec('no-such-ref')), signal);
    await assert.rejects(missingRef, { code: 'ref_not_found', retryable: false, hint: /\S/ });
    const missing = place.provider.resolve(linkOf(place.provider, place.missingSpec), signal);
    await assert.rejects(missing, { code: 'repository_not_found', retryable: false, hint: /\S/ });
  });

  void test(`${name}: an aborted look-up ends with the abort's reason`, async () => {
    await using place = await open();
    const aborted = place.provider.resolve(linkOf(place.provider, place.spec('main')), AbortSignal.abort(new Error('enough')));
    await assert.rejects(aborted, { message: 'enough' });
  });
}
