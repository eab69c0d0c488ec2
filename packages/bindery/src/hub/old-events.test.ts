import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LaunchEvent } from '@bindery/wire/events.ts';
import { insteadOf } from './default-branch.ts';
import { OldEvents, type OldEventsOptions } from './old-events.ts';

const ID = 'e'.repeat(64);
const URL = 'http://localhost:8585/s/abcdefghijklmnop/';
const AT = '2026-01-01T00:00:00.000Z';

type Progress = Extract<LaunchEvent, { kind: string }>;
type Entry<T> = T extends unknown ? Omit<T, 'seq' | 'at'> : never;

/** Entries as the pipeline writes them before it is known whether the environment is there. */
const BEFORE: Entry<LaunchEvent>[] = [
  { phase: 'resolving', kind: 'begin', message: 'Looking up u/r' },
  { phase: 'resolving', kind: 'done', message: 'u/r is at commit aaaa', ms: 3 },
  { phase: 'fetching', kind: 'begin', message: 'Fetching u/r' },
  { phase: 'fetching', kind: 'done', message: 'The files are here', ms: 3 },
  { phase: 'planning', kind: 'done', message: 'Environment from requirements.txt', ms: 1 },
];
const LAUNCH: Entry<LaunchEvent>[] = [
  { phase: 'launching', kind: 'begin', message: 'Starting' },
  { phase: 'launching', kind: 'info', message: 'Server requested' },
];
const READY: Entry<LaunchEvent> = {
  phase: 'ready',
  message: 'Ready after 1 s.',
  sessionId: 'abcdefghijklmnop',
  ms: 1000,
  repoUrl: 'https://github.com/u/r',
  refUrl: 'https://github.com/u/r/tree/aaaa',
  environmentId: ID,
  open: 'lab',
};

function failed(
  code: string,
  during: LaunchEvent['phase'],
  more: Partial<Extract<LaunchEvent, { phase: 'failed' }>> = {},
): Entry<LaunchEvent> {
  return { phase: 'failed', during, code, message: 'It failed.', hint: 'Mend it.', retryable: false, ...more };
}

/** What a client of the old stream reads, as bytes. */
function bytes(entries: readonly Entry<LaunchEvent>[], options: Partial<OldEventsOptions> = {}): string[] {
  const events = new OldEvents({
    key: 'gh:u/r/x',
    buildOnly: false,
    ready: () => ({
      url: URL,
      token: 'tok',
      launchHost: 'http://localhost:8585/',
      request: 'v2/gh/u/r/x',
      persistentRequest: 'v2/gh/u/r/aaaa',
      clientIp: '127.0.0.1',
    }),
    ...options,
  });
  return entries.flatMap((entry, seq) => events.take({ ...entry, seq, at: AT })).map((event) => JSON.stringify(event));
}

const FOUND: Entry<Progress> = { phase: 'building', kind: 'done', message: 'Found', ms: 0, cached: true, environmentId: ID };
const BUILT: Entry<LaunchEvent>[] = [
  { phase: 'building', kind: 'begin', message: 'Building the environment' },
  { phase: 'building', kind: 'log', message: 'Collecting numpy' },
  { phase: 'building', kind: 'done', message: 'Built', ms: 9, environmentId: ID },
];
const READY_BYTES =
  `{"phase":"ready","message":"server running at ${URL}\\n","image":"bindery/environment:${ID}","repo_url":"https://github.com/u/r","token":"tok",` +
  `"binder_ref_url":"https://github.com/u/r/tree/aaaa","binder_launch_host":"http://localhost:8585/","binder_request":"v2/gh/u/r/x",` +
  `"binder_persistent_request":"v2/gh/u/r/aaaa","binder_client_ip":"127.0.0.1","url":"${URL}"}`;

test('cached', () => {
  assert.deepEqual(bytes([...BEFORE, FOUND, ...LAUNCH, READY]), [
    `{"phase":"built","imageName":"bindery/environment:${ID}","message":"Found built image, launching...\\n"}`,
    '{"phase":"launching","message":"Launching server...\\n"}',
    '{"phase":"launching","message":"Server requested\\n"}',
    READY_BYTES,
  ]);
});

test('cached, build_only', () => {
  assert.deepEqual(bytes([...BEFORE, FOUND, READY], { buildOnly: true }), [
    `{"phase":"ready","imageName":"bindery/environment:${ID}","message":"Done! Found built image\\n"}`,
  ]);
});

const BUILDING = [
  '{"phase":"waiting","message":"Waiting for build to start...\\n"}',
  '{"message":"Picked Git content provider.\\n"}',
  '{"message":"Looking up u/r\\n","phase":"fetching"}',
  '{"message":"u/r is at commit aaaa\\n","phase":"fetching"}',
  '{"message":"Fetching u/r\\n","phase":"fetching"}',
  '{"message":"The files are here\\n","phase":"fetching"}',
  '{"message":"Environment from requirements.txt\\n","phase":"building"}',
  '{"message":"Building the environment\\n","phase":"building"}',
  '{"message":"Collecting numpy\\n","phase":"building"}',
];

test('to be built', () => {
  assert.deepEqual(bytes([...BEFORE, ...BUILT, ...LAUNCH, READY]), [
    ...BUILDING,
    `{"phase":"built","message":"Built image, launching...\\n","imageName":"bindery/environment:${ID}"}`,
    '{"phase":"launching","message":"Launching server...\\n"}',
    '{"phase":"launching","message":"Server requested\\n"}',
    READY_BYTES,
  ]);
});

test('to be built, build_only', () => {
  assert.deepEqual(bytes([...BEFORE, ...BUILT, READY], { buildOnly: true }), [
    ...BUILDING,
    `{"phase":"ready","message":"Done! Image built\\n","imageName":"bindery/environment:${ID}"}`,
  ]);
});

test('unknown ref, other resolver error', () => {
  const [begin] = BEFORE;
  assert.ok(begin);
  const missing = 'Could not resolve ref for gh:u/r/x. Double check your URL and that your repo is public.\\n';
  assert.deepEqual(bytes([begin, failed('ref_not_found', 'resolving')]), [`{"phase":"failed","message":"${missing}"}`]);
  assert.deepEqual(bytes([begin, failed('repository_not_found', 'resolving')]), [`{"phase":"failed","message":"${missing}"}`]);
  assert.deepEqual(bytes([begin, failed('upstream_unreachable', 'resolving')]), [
    '{"phase":"failed","message":"Error resolving ref for gh:u/r/x: It failed.\\n"}',
  ]);
});

test('a GitHub branch that was renamed: HEAD in its place, found or not', () => {
  const waiting =
    'Could not resolve ref for gh:u/r/x. Double check your URL and that your repo is public. GitHub has changed default branches from ' +
    '\\"master\\" to \\"main\\". Tip: HEAD will always resolve to a repository\'s default branch.';
  const instead: Entry<LaunchEvent>[] = [
    { phase: 'resolving', kind: 'begin', message: 'Looking up u/r' },
    { phase: 'resolving', kind: 'info', message: insteadOf('master') },
  ];
  const told = `{"phase":"waiting","message":"${waiting}\\nTrying again with HEAD instead of master. Please update your links.\\n"}`;
  assert.deepEqual(bytes([...instead, ...BEFORE, FOUND, ...LAUNCH, READY]).slice(0, 2), [
    told,
    `{"phase":"built","imageName":"bindery/environment:${ID}","message":"Found built image, launching...\\n"}`,
  ]);
  assert.deepEqual(bytes([...instead, failed('ref_not_found', 'resolving')]), [told, `{"phase":"failed","message":"${waiting}\\n"}`]);
});

test('build failure: the log, then one failed event with the cause', () => {
  const entries = [...BEFORE, ...BUILT.slice(0, 2), failed('build_failed', 'building', { logTail: 'tail' })];
  assert.deepEqual(bytes(entries), [
    ...BUILDING,
    '{"message":"Error during build: It failed. Mend it.\\n","exc_info":"tail","phase":"failed"}',
  ]);
});

test('a server that does not start, a full machine', () => {
  const entries = [...BEFORE, FOUND, ...LAUNCH, failed('start_failed', 'launching')];
  assert.equal(bytes(entries).at(-1), '{"phase":"failed","status_code":500,"message":"It failed. Mend it.\\n"}');
  assert.deepEqual(bytes([failed('no_capacity', 'resolving')]), [
    '{"phase":"failed","message":"Too many users on this BinderHub! Try again soon.\\n"}',
  ]);
});

test('every message ends with one line break, whatever comes', () => {
  const messages = bytes([...BEFORE, ...BUILT, ...LAUNCH, READY]).map((text) => (JSON.parse(text) as { message: string }).message);
  for (const message of messages) assert.match(message, /[^\n]\n$/);
});
