// Runs before `npm start` and `npm test`, on whatever Node launched npm (>= 20): brings what is missing, says what it does on stderr.
// With --tests also what only the tests need.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const tests = process.argv.includes('--tests');
const say = (text) => process.stderr.write(`bindery setup: ${text}\n`);
const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(1)} s`;

/** Runs a program with its output on stderr; ends the set-up when it fails. */
function must(command, args, hint, options = {}) {
  const result = spawnSync(command, args, { stdio: ['ignore', 2, 2], shell: process.platform === 'win32', ...options });
  if (result.status === 0) return;
  say(`${[command, ...args].join(' ')} failed. ${hint}`);
  process.exit(result.status || 1);
}

function packages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/** True when node_modules is not what package-lock.json says (npm keeps its own record of what it installed). */
function stale() {
  const want = packages('package-lock.json') ?? {};
  const have = packages('node_modules/.package-lock.json');
  if (!have) return true;
  const missing = ([path, entry]) =>
    path &&
    !entry.link &&
    path.startsWith('node_modules/') &&
    (have[path] ? have[path].version !== entry.version || have[path].integrity !== entry.integrity : !entry.optional);
  return Object.entries(want).some(missing) || Object.keys(have).some((path) => !want[path]);
}

function newest(folder) {
  let latest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) latest = Math.max(latest, statSync(join(entry.parentPath, entry.name)).mtimeMs);
  }
  return latest;
}

function webIsStale() {
  const built = 'packages/web/dist/index.html';
  if (!existsSync('packages/web/vite.config.ts')) return false;
  return (
    !existsSync(built) ||
    statSync(built).mtimeMs <
      Math.max(
        ...['packages/web/src', 'packages/wire/src', 'packages/rtc/src'].map(newest),
        ...readdirSync('packages/web').flatMap((file) => (/\.(html|ts)$/.test(file) ? [statSync(`packages/web/${file}`).mtimeMs] : [])),
      )
  );
}

const onPath = (name) => (process.env.PATH ?? '').split(':').some((folder) => folder && existsSync(join(folder, name)));

/** Debian packages: installed when we are root, else named with the command. */
function debian(wanted) {
  const missing = Object.entries(wanted)
    .filter(([program]) => !onPath(program) && !existsSync(program))
    .map(([, name]) => name);
  if (missing.length === 0 || process.platform !== 'linux') return;
  const command = `apt-get install --no-install-recommends ${missing.join(' ')}`;
  if (process.getuid?.() !== 0 || !onPath('apt-get')) {
    say(`not installed: ${missing.join(', ')}. To install: sudo ${command}`);
    if (tests) process.exit(1);
    return;
  }
  const since = Date.now();
  say(`installing with apt-get: ${missing.join(', ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const install = () =>
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], { stdio: ['ignore', 'ignore', 'pipe'], env });
  let result = install();
  if (result.status !== 0) {
    spawnSync('apt-get', ['update', '-qq'], { stdio: 'ignore', env });
    result = install();
  }
  if (result.status !== 0) {
    say(`${command} failed:\n${String(result.stderr)}`);
    process.exit(1);
  }
  say(`installed in ${seconds(since)}`);
}

if (stale()) {
  const since = Date.now();
  say('installing npm packages (with Node 26)');
  // No package needs its install scripts. (The same in .npmrc would switch off our own prestart.)
  must('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], 'Is the network there?');
  say(`npm packages installed in ${seconds(since)}`);
}
if (webIsStale()) {
  const since = Date.now();
  must(join('..', '..', 'node_modules', '.bin', 'vite'), ['build', '--logLevel', 'warn'], 'The web page could not be built.', {
    cwd: join('packages', 'web'),
  });
  say(`web page built in ${seconds(since)}`);
}
debian({
  git: 'git',
  bwrap: 'bubblewrap',
  ...(tests ? { chromium: 'chromium', ip: 'iproute2', 'git-lfs': 'git-lfs', nft: 'nftables', slirp4netns: 'slirp4netns' } : {}),
});
