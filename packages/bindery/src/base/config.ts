import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';

const seconds = (value: number) => z.number().positive().default(value);
const bytes = (value: number) => z.number().int().positive().default(value);
const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** The whole configuration. One schema: file, `BINDERY_*` environment, flags and reference are derived from it. Durations are seconds, sizes bytes. */
export const ConfigSchema = z.strictObject({
  folders: z
    .strictObject({
      state: z
        .string()
        .min(1)
        .default(() => join(dataHome(), 'bindery'))
        .describe('Sessions, launches, saved work, the hub key.'),
      cache: z
        .string()
        .min(1)
        .default(() => join(cacheHome(), 'bindery'))
        .describe('Repositories, packages, environments, tools. May be deleted while no hub runs.'),
    })
    .prefault({}),
  hub: z
    .strictObject({
      host: z.string().default('localhost').describe('Address to listen on. localhost means 127.0.0.1 and ::1.'),
      port: z.number().int().min(0).max(65535).default(8585).describe('Port; the next free one is taken where it is in use, 0 means any.'),
      publicUrl: z.url().optional().describe('Address under which people reach a hub that is not on loopback.'),
      sessionHost: z.string().optional().describe('Wildcard host for sessions of a hub that is not on loopback: *.example.org'),
      allowOrigins: z
        .array(z.string())
        .default([])
        .describe('Origins of other sites that may call /build and the API; * (any) only where hub.open holds.'),
      open: z.boolean().optional().describe('Whether launches need no key; default: no on loopback, yes elsewhere.'),
      launchesPerHour: z
        .number()
        .int()
        .nonnegative()
        .default(60)
        .describe('Launches an hour from one address without a key; 0 for no limit.'),
      trustedProxies: z.array(z.string()).default([]).describe('Addresses of reverse proxies whose X-Forwarded-For is believed.'),
      log: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('warn').describe('Level of the hub log on stderr.'),
    })
    .prefault({}),
  git: z
    .strictObject({
      protocols: z
        .array(z.enum(['https', 'http', 'ssh', 'git', 'file']))
        .default(['https', 'http', 'ssh', 'git', 'file'])
        .describe('Protocols a link may use. file and local folders are for hubs on loopback only.'),
      privateHosts: z.boolean().optional().describe('Open links to private networks; default: only on a hub for this machine alone.'),
      sshKey: z
        .string()
        .optional()
        .describe('Private key for ssh links, without a passphrase; default: what ssh finds. A hub started as root has no other.'),
      knownHosts: z
        .string()
        .optional()
        .describe('File with the keys of ssh hosts (as ~/.ssh/known_hosts, which is the default). Other hosts are refused.'),
      timeout: seconds(600).describe('Longest fetch.'),
      maxBytes: bytes(4 * GIB).describe('Largest work tree.'),
    })
    .prefault({}),
  github: z
    .strictObject({
      url: z.url().default('https://github.com').describe('Where gh links are cloned from.'),
      apiUrl: z.url().default('https://api.github.com').describe('Where refs of gh links are looked up.'),
      token: z.string().optional().meta({ description: 'Access token for the API.', secret: true }),
    })
    .prefault({}),
  python: z
    .strictObject({
      indexUrl: z
        .string()
        .optional()
        .describe('Package index (simple API); default: what uv and pip are configured with, else PyPI. May hold credentials.'),
      mirror: z.string().optional().describe('Mirror for managed interpreters, https:// or file://'),
      managed: z.boolean().default(true).describe('Fetch an interpreter where none on the machine fits.'),
      uv: z.string().optional().describe('Path of a uv binary to use.'),
      channelAlias: z.string().default('https://conda.anaconda.org').describe('Where conda channel names lead.'),
    })
    .prefault({}),
  build: z
    .strictObject({
      timeout: seconds(3600).describe('Longest build.'),
      memory: bytes(4 * GIB).describe('Memory of a build sandbox.'),
      processes: z.number().int().positive().default(1024).describe('Processes and threads of a build sandbox.'),
      disk: bytes(10 * GIB).describe('What a build may write.'),
      concurrent: z.number().int().positive().default(4).describe('Builds at once; further ones wait.'),
      refreshAfter: seconds(86_400).describe('Age after which a lock that is not fixed is renewed in the background.'),
    })
    .prefault({}),
  session: z
    .strictObject({
      memory: bytes(2 * GIB).describe('Memory of a session.'),
      cpus: z.number().positive().default(2).describe('Processors of a session; 0.5 is half of one.'),
      processes: z.number().int().positive().default(512).describe('Processes and threads of a session.'),
      disk: bytes(10 * GIB).describe('What a session may write.'),
      shm: bytes(256 * MIB).describe('Size of the private /dev/shm.'),
      sandbox: z
        .enum(['auto', 'off'])
        .default('auto')
        .describe('auto: builds and sessions run in a sandbox where one works; off: as where none works, with all that is refused there.'),
      share: z
        .boolean()
        .default(true)
        .describe('Documents are shared: who opens the same notebook of a session at the same time sees what the others do.'),
      network: z
        .enum(['filtered', 'none', 'open'])
        .default('filtered')
        .describe('filtered: HTTP and HTTPS to public addresses; none; open: everything but this machine and the metadata service.'),
      startTimeout: seconds(60).describe('Longest start of a notebook server.'),
      idle: seconds(1800).describe('A session without activity for this long is ended; busy kernels are activity.'),
      maxAge: seconds(6 * 3600).describe('A session is ended at this age, whatever it does.'),
      warning: seconds(300).describe('How long before its end a session says so.'),
      lease: seconds(600).describe('A session that no hub has renewed for this long ends itself.'),
      keepSaved: seconds(7 * 86_400).describe('How long saved changes are kept.'),
      freeMemory: z
        .number()
        .int()
        .nonnegative()
        .default(512 * MIB)
        .describe('No session starts while less memory than this is free.'),
      maximum: z.number().int().positive().default(200).describe('Sessions at once.'),
    })
    .prefault({}),
  store: z
    .strictObject({
      maxBytes: bytes(50 * GIB).describe('Environments and packages above this size are removed, least recently used first.'),
    })
    .prefault({}),
  relay: z
    .strictObject({
      folder: z.string().min(1).optional().describe('Shared documents and the relay key; default: `relay` in the state folder.'),
      host: z.string().default('localhost').describe('Address to listen on. localhost means 127.0.0.1 and ::1.'),
      port: z.number().int().min(0).max(65535).default(8686).describe('Port; the next free one is taken where it is in use, 0 means any.'),
      publicUrl: z
        .url({ protocol: /^https?$/ })
        .optional()
        .describe('Address under which people reach a relay that is not on loopback.'),
      allowOrigins: z.array(z.string()).default([]).describe('Origins of sites whose pages may connect; * is any. Programs need none.'),
      maxConnections: z.number().int().positive().default(10_000).describe('Connections at once.'),
      maxMessageBytes: bytes(128 * MIB).describe('Largest message of a client.'),
      idle: seconds(60).describe('A document that nobody has open leaves memory after this long; one that nobody edits takes less of it.'),
    })
    .prefault({}),
  supernode: z
    .strictObject({
      folder: z
        .string()
        .min(1)
        .optional()
        .describe('Shared documents of Jupyter servers, and what opens them; default: `supernode` in the state folder.'),
      host: z.string().default('localhost').describe('Address to listen on. localhost means 127.0.0.1 and ::1.'),
      port: z.number().int().min(0).max(65535).default(8787).describe('Port; the next free one is taken where it is in use, 0 means any.'),
      publicUrl: z
        .url({ protocol: /^https?$/ })
        .optional()
        .describe('Address under which people reach a supernode that is not on loopback, without a path.'),
      token: z.string().optional().meta({ description: 'Token of the Jupyter server.', secret: true }),
    })
    .prefault({}),
});
export type Config = z.output<typeof ConfigSchema>;

function dataHome(): string {
  return process.env['XDG_DATA_HOME'] ?? join(homedir(), '.local', 'share');
}

function cacheHome(): string {
  return process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
}
