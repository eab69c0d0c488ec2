import { z } from 'zod';
import { Digest, Instant, LaunchId, SessionId } from './ids.ts';
import { Finding, LaunchEvent } from './events.ts';
import { Link } from './link.ts';
import { ROLES } from './roles.ts';

/** Every path of the new contract begins with this. `GET /api/v1/openapi.json` describes them all. */
export const API_BASE = '/api/v1';

/** Request header with a launch's key; it stands in place of the hub key for that launch and its session alone. */
export const LAUNCH_KEY_HEADER = 'x-launch-key';

/** Request header of `POST /launches`: a repeated request with the same value (at most 128 characters) answers the same launch. */
export const IDEMPOTENCY_HEADER = 'idempotency-key';

/** Choices of one launch beside its link. */
export const LaunchOptions = z.strictObject({
  /** Packages as they were then: a date, or `commit` for the date of the commit. */
  asOf: z.string().max(64).optional(),
  /** `pypi` takes from PyPI what a conda file names and PyPI has. */
  conda: z.enum(['channels', 'pypi']).optional(),
  /** `X.Y`: this Python, whatever the files say. */
  python: z
    .string()
    .regex(/^3\.\d{1,2}$/, 'give a version such as 3.12')
    .optional(),
  /** The repository's `postBuild` is left out. */
  skipPostBuild: z.boolean().optional(),
  /** A file that this engine cannot apply fails the launch. */
  strict: z.boolean().optional(),
  /** Run as the user, not isolated, where no sandbox works. */
  trust: z.boolean().optional(),
  /** `repo2docker`: its defaults, Python 3.10 among them, where the files leave a choice. */
  epoch: z.enum(['2026', 'repo2docker']).optional(),
  layout: z.enum(['auto', 'split', 'joint']).optional(),
  /** Branch, tag or commit, in place of the link's. */
  ref: z.string().min(1).max(1024).optional(),
  /** File or folder of the repository to open in JupyterLab. */
  path: z.string().max(2048).optional(),
  /** What to open below the session's base path, in place of `path`. */
  urlpath: z.string().max(4096).optional(),
  /** An ended session's id: its saved work is put over the files of the repository. Needs the right to that session. */
  restore: SessionId.optional(),
  /** Somebody asked for it again: a build that failed a moment ago is not taken as failed, but tried. */
  retry: z.boolean().optional(),
  /** Stop when the environment is built: no session is started. */
  buildOnly: z.boolean().optional(),
});
export type LaunchOptions = z.infer<typeof LaunchOptions>;

/** `POST /launches` */
export const CreateLaunch = z.strictObject({ link: z.string().min(1).max(4096), options: LaunchOptions.optional() });
export type CreateLaunch = z.infer<typeof CreateLaunch>;

/** A launch as the API shows it. `key` is returned once, to whoever created it: it opens the session. */
export const LaunchView = z.object({
  id: LaunchId,
  link: Link,
  createdAt: Instant,
  state: z.enum(['running', 'ready', 'failed', 'cancelled']),
  last: LaunchEvent.optional(),
  sessionId: SessionId.optional(),
  key: z.string().optional(),
});
export type LaunchView = z.infer<typeof LaunchView>;

/** `GET /launches/:id/events`: entries with a greater `seq` than `after` (or the `Last-Event-ID` header), then what comes. */
export const EventsQuery = z.object({ after: z.coerce.number().int().min(-1).optional() });

export const SessionState = z.enum(['starting', 'running', 'ending', 'ended']);
export type SessionState = z.infer<typeof SessionState>;

/** Why a session ended. */
export const EndReason = z.enum(['stopped', 'idle', 'age', 'memory', 'disk', 'processes', 'crash', 'start', 'abandoned', 'shutdown']);
export type EndReason = z.infer<typeof EndReason>;

export const SessionView = z.object({
  id: SessionId,
  state: SessionState,
  /** Launches the same commit again, as a path: `/v2/gh/user/repo/<commit>`; of a folder as it is now, the folder. */
  link: z.string().optional(),
  repoUrl: z.string(),
  ref: z.string(),
  refUrl: z.string(),
  environmentId: z.string(),
  startedAt: Instant,
  /** Last user input or kernel work. */
  activeAt: Instant,
  /** When the session will be ended if nothing happens, and why. */
  endsAt: Instant.optional(),
  endsBecause: EndReason.optional(),
  endedAt: Instant.optional(),
  endReason: EndReason.optional(),
  message: z.string().optional(),
  /** Bytes of changed files saved at the end. */
  savedBytes: z.number().int().optional(),
  memoryBytes: z.number().int().optional(),
  /** Bytes that a running session has written, as of a few seconds ago. */
  diskBytes: z.number().int().optional(),
  isolated: z.boolean(),
  /** True when who opens the same document in it at the same time sees what the others do. */
  shares: z.boolean().optional(),
});
export type SessionView = z.infer<typeof SessionView>;

/** `GET /sessions`: the running ones first, then those that ended a while ago; newest first in both. */
export const SessionList = z.object({ sessions: z.array(SessionView) });
export type SessionList = z.infer<typeof SessionList>;

/** `POST /sessions/:id/open` */
export const OpenSession = z.strictObject({
  /** Path below the session's base path; default: what the launch asked for. */
  path: z.string().max(4096).optional(),
  /** `host` (the default): the session's own host name, an origin of its own. `port`: the hub's second port, for browsers that cannot reach that name. */
  form: z.enum(['host', 'port']).optional(),
});
export type OpenSession = z.infer<typeof OpenSession>;

/** A one-time address: whoever opens it first gets in. */
export const OneTimeLink = z.object({ url: z.url() });
export type OneTimeLink = z.infer<typeof OneTimeLink>;

/** `POST /enter`: a one-time link that gives a browser the right to use this hub; it then shows `next`. */
export const Enter = z.strictObject({ next: z.string().max(4096).optional() });

/** `POST /sessions/:id/share` */
export const ShareSession = z.strictObject({
  /** `read` and `edit` the shared documents at `path`; `execute` and `admin` use the whole session. */
  role: z.enum(ROLES).default('execute'),
  /** Seconds until the link ends; the session may end sooner. A day. */
  seconds: z
    .number()
    .int()
    .positive()
    .max(366 * 86_400)
    .default(86_400),
  /** The file or folder that is shared; without it all files of the session. What the link opens. */
  path: z.string().max(2048).default(''),
  /** As for `open`. */
  form: z.enum(['host', 'port']).optional(),
});
export type ShareSession = z.infer<typeof ShareSession>;

/** Whoever has the link may use the session so, as often as it is opened, until its end. */
export const ShareLink = z.object({ url: z.url(), role: z.enum(ROLES), endsAt: Instant });
export type ShareLink = z.infer<typeof ShareLink>;

/** One provider, as the old contract's `/api/repoproviders` describes it. */
export const RepoProvider = z.object({
  displayName: z.string(),
  id: z.string(),
  spec: z.object({ validateRegex: z.string() }),
  detect: z.object({ regex: z.string() }).optional(),
  repo: z.object({ label: z.string(), placeholder: z.string(), urlEncode: z.boolean().optional() }),
  ref: z.object({ enabled: z.boolean(), default: z.string().optional() }),
});
export type RepoProvider = z.infer<typeof RepoProvider>;
export const ProviderList = z.object({ providers: z.array(RepoProvider) });

/** `GET /plan` */
export const PlanQuery = z.object({
  link: z.string().min(1).max(4096),
  ...LaunchOptions.pick({ asOf: true, conda: true, epoch: true, layout: true, python: true, ref: true }).shape,
  skipPostBuild: z.stringbool().optional(),
  strict: z.stringbool().optional(),
});
export type PlanQuery = z.infer<typeof PlanQuery>;

/** What a link was resolved to: the full ref, and the branch that it was when it was one. */
export const ResolvedSource = z.object({
  provider: z.string(),
  slug: z.string(),
  url: z.string(),
  ref: z.string(),
  refUrl: z.string().optional(),
  branch: z.string().optional(),
});

/** What would be built, line by line with the reason; nothing is built. */
export const PlanView = z.object({
  link: Link,
  source: ResolvedSource,
  planId: Digest,
  plan: z.looseObject({
    epoch: z.string(),
    layout: z.enum(['auto', 'split', 'joint']),
    layoutBecause: z.string(),
    base: z.object({ python: z.object({ requires: z.string(), prefer: z.string(), because: z.string() }) }),
    steps: z.array(z.looseObject({ uses: z.string(), because: z.string(), inputs: z.array(z.string()) })),
    start: z.string().optional(),
    env: z.record(z.string(), z.string()),
    reads: z.union([z.array(z.string()), z.literal('tree')]),
    asOf: Instant.optional(),
    findings: z.array(Finding),
  }),
});
export type PlanView = z.infer<typeof PlanView>;

export const EnvironmentView = z.object({
  id: Digest,
  engine: z.string(),
  location: z.string(),
  bytes: z.number().int(),
  builtAt: Instant,
  /** Running sessions that use it; it is not removed while there are any. */
  sessions: z.number().int(),
});
export type EnvironmentView = z.infer<typeof EnvironmentView>;
export const EnvironmentList = z.object({ environments: z.array(EnvironmentView) });

/** `POST /gc` */
export const CollectGarbage = z.strictObject({
  /** Also what is within the size limit, as long as no session uses it. */
  all: z.boolean().optional(),
});
export const Collected = z.object({ removed: z.array(Digest), freedBytes: z.number().int() });
export type Collected = z.infer<typeof Collected>;

/** `GET /info`: open to everybody, so that a page or program can learn what it may do here. */
export const Info = z.object({
  version: z.string(),
  startedAt: Instant,
  engine: z.string(),
  /** False where no sandbox works: then only what is trusted runs, and nothing from a page. */
  isolated: z.boolean(),
  /** True when whoever asks holds the hub key or the browser's cookie. */
  authorized: z.boolean(),
  /** True when launches need no key here (a hub for everybody). */
  open: z.boolean(),
  sessions: z.object({ running: z.number().int(), maximum: z.number().int() }),
  launches: z.object({ running: z.number().int(), waiting: z.number().int() }),
});
export type Info = z.infer<typeof Info>;

/** `POST /hub/shutdown` */
export const Shutdown = z.strictObject({
  /** `stop` (the default) ends every session of this hub, saving changed files; `keep` leaves them for the next hub. */
  sessions: z.enum(['stop', 'keep']).optional(),
});
export type Shutdown = z.infer<typeof Shutdown>;

/** `GET /examples`: repositories that the hub offers to try. */
export const Example = z.object({ link: z.string(), title: z.string(), about: z.string() });
export type Example = z.infer<typeof Example>;
export const ExampleList = z.object({ examples: z.array(Example) });

/** What a page of the hub is told, as JSON in its `<script type="application/json" id="page-config">`. */
export const PageConfig = z.object({
  version: z.string(),
  /** Path below which the hub lives, with both slashes. */
  baseUrl: z.string(),
  /** Address people reach the hub under, without a trailing slash: for badges and links. */
  publicUrl: z.string(),
  /** False where no sandbox works: then nothing is launched from a page. */
  isolated: z.boolean(),
  /** True: this page was opened from another site, so it asks before it launches. */
  ask: z.boolean(),
  /** The other site's origin, where the browser told it. */
  askFrom: z.string().optional(),
});
export type PageConfig = z.infer<typeof PageConfig>;

/** Every error answer of the new contract. */
export const ErrorBody = z.object({
  error: z.object({ code: z.string(), message: z.string(), hint: z.string(), retryable: z.boolean() }),
});
export type ErrorBody = z.infer<typeof ErrorBody>;
