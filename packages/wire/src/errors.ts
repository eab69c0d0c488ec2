import { DOCUMENT_ERRORS } from './document-errors.ts';

/**
 * Every failure a person can meet, said once: a stable code, the HTTP status, and what to do about it.
 * `docs/reference/errors.md` is generated from this table.
 */
export interface ErrorEntry {
  /** HTTP status of the new contract's answers; the old event stream answers 200 and carries it as `status_code` only where the old servers did. */
  readonly status: number;
  /** True when the same request may well succeed later, unchanged. */
  readonly retryable: boolean;
  /** What happened, in one sentence; the thrown error's message says it with the particulars. */
  readonly title: string;
  /** What the person can do. */
  readonly hint: string;
}

export const ERRORS = {
  link_invalid: {
    status: 400,
    retryable: false,
    title: 'The link could not be understood.',
    hint: 'Paste the address of a Git repository, user/repo, or a local folder.',
  },
  link_forbidden: {
    status: 403,
    retryable: false,
    title: 'This hub does not open links of this kind.',
    hint: 'Use an https:// address, or ask the operator to allow the protocol.',
  },
  provider_unknown: {
    status: 404,
    retryable: false,
    title: 'No provider is known by this name.',
    hint: 'See /api/v1/providers for the providers of this hub.',
  },
  ref_not_found: {
    status: 404,
    retryable: false,
    title: 'The repository has no such branch, tag or commit.',
    hint: 'Check the spelling; HEAD always names the default branch.',
  },
  repository_not_found: {
    status: 404,
    retryable: false,
    title: 'There is no such repository, or it is private.',
    hint: 'Check the address, and that the repository is public.',
  },
  repository_empty: {
    status: 422,
    retryable: false,
    title: 'The repository has no commits yet.',
    hint: 'Push a first commit, then try again.',
  },
  upstream_unreachable: {
    status: 502,
    retryable: true,
    title: 'The host of the repository could not be reached.',
    hint: 'Check the host name and your connection, then try again.',
  },
  upstream_rate_limited: {
    status: 503,
    retryable: true,
    title: 'The host of the repository asks us to slow down.',
    hint: 'Try again in a few minutes, or give the hub an access token.',
  },
  fetch_failed: {
    status: 502,
    retryable: true,
    title: 'The repository could not be fetched.',
    hint: 'Try again; if it persists, clone it by hand to see the reason.',
  },
  tree_invalid: {
    status: 422,
    retryable: false,
    title: 'The repository holds something that cannot be checked out.',
    hint: 'The message names the path.',
  },
  tree_too_large: {
    status: 422,
    retryable: false,
    title: 'The repository is larger than this hub takes.',
    hint: 'Make the repository smaller, or raise git.maxBytes.',
  },
  file_invalid: {
    status: 422,
    retryable: false,
    title: 'An environment file could not be read.',
    hint: 'Mend the file at the line that is named.',
  },
  plan_conflict: {
    status: 422,
    retryable: false,
    title: "The repository's environment files contradict each other.",
    hint: 'Keep one of the files that are named.',
  },
  plan_unsupported: {
    status: 422,
    retryable: false,
    title: 'The repository asks for something this engine cannot give.',
    hint: 'Launch without --strict, or on an engine that supports it.',
  },
  python_not_found: {
    status: 422,
    retryable: false,
    title: 'No Python interpreter fits the repository.',
    hint: 'Install one that fits, or set a mirror for managed interpreters (python.mirror).',
  },
  unsatisfiable: {
    status: 422,
    retryable: false,
    title: "The repository's requirements cannot be met together.",
    hint: 'For an old repository, try --as-of with the date of its last commit.',
  },
  index_unreachable: {
    status: 502,
    retryable: true,
    title: 'The package index could not be reached.',
    hint: 'Check your connection and the index settings, then try again.',
  },
  channel_unreachable: {
    status: 502,
    retryable: true,
    title: 'The conda channel could not be reached.',
    hint: 'Check your connection; --conda pypi takes from PyPI what exists there under the same name.',
  },
  build_failed: {
    status: 422,
    retryable: false,
    title: 'A build step failed.',
    hint: "The log's end shows the reason; mend the step and launch again.",
  },
  build_timeout: {
    status: 422,
    retryable: true,
    title: 'The build took too long.',
    hint: 'Make the build shorter, or raise build.timeout.',
  },
  disk_full: { status: 507, retryable: true, title: 'The disk is full.', hint: 'Free some room (bindery gc), then try again.' },
  no_capacity: {
    status: 503,
    retryable: true,
    title: 'This machine has no room for another session right now.',
    hint: 'Wait for a session to end, or stop one (bindery list, bindery stop).',
  },
  sandbox_unavailable: {
    status: 403,
    retryable: false,
    title: 'This machine cannot isolate what a repository runs.',
    hint: 'See bindery doctor. Your own folders, or links given with --trust, run as you.',
  },
  start_failed: {
    status: 500,
    retryable: true,
    title: 'The notebook server ended while starting.',
    hint: "Its log's end shows the reason.",
  },
  start_timeout: {
    status: 500,
    retryable: true,
    title: 'The notebook server did not answer in time.',
    hint: 'Try again; if the machine is busy, raise session.startTimeout.',
  },
  session_not_found: {
    status: 404,
    retryable: false,
    title: 'There is no such session.',
    hint: 'It may have ended: launch the repository again.',
  },
  session_ended: {
    status: 424,
    retryable: false,
    title: 'This session has ended.',
    hint: 'Launch the repository again.',
  },
  saved_not_found: {
    status: 404,
    retryable: false,
    title: 'Nothing was saved of this session.',
    hint: 'Changed files are saved when a session ends. Launch the repository without them.',
  },
  saved_expired: {
    status: 410,
    retryable: false,
    title: 'What was saved of this session is no longer kept.',
    hint: 'Launch the repository without it. How long saved work is kept is session.keepSaved.',
  },
  restore_failed: {
    status: 422,
    retryable: false,
    title: 'The saved work could not be put back.',
    hint: 'It can still be downloaded from the sessions page (bindery list). Launch the repository without it.',
  },
  session_starting: { status: 503, retryable: true, title: 'This session is still starting.', hint: 'Try again in a moment.' },
  session_unreachable: {
    status: 502,
    retryable: true,
    title: 'The notebook server of this session does not answer.',
    hint: "Try again in a moment; if it persists, the session's log shows the reason.",
  },
  session_timeout: {
    status: 504,
    retryable: true,
    title: 'The notebook server of this session did not answer in time.',
    hint: 'It may be busy: try again in a moment.',
  },
  launch_not_found: {
    status: 404,
    retryable: false,
    title: 'There is no such launch.',
    hint: 'Launch logs are kept for a while only: launch the repository again.',
  },
  interrupted: { status: 503, retryable: true, title: 'The hub ended during the launch.', hint: 'Launch again.' },
  cancelled: { status: 409, retryable: true, title: 'The launch was cancelled.', hint: 'Launch again when you like.' },
  unauthorized: {
    status: 401,
    retryable: false,
    title: 'This needs the hub key.',
    hint: 'Open the link that bindery printed, or use the bindery command.',
  },
  forbidden: { status: 403, retryable: false, title: 'This is not allowed from here.', hint: 'Open the page on the hub itself.' },
  hub_leaving: { status: 503, retryable: true, title: 'The hub is being restarted.', hint: 'Try again in a moment.' },
  host_unknown: {
    status: 421,
    retryable: false,
    title: 'This hub does not serve this host name.',
    hint: 'Use the address that bindery printed.',
  },
  link_spent: {
    status: 410,
    retryable: false,
    title: 'This one-time link has been used.',
    hint: 'Ask for a new one on the launch page, or with bindery launch.',
  },
  request_invalid: {
    status: 400,
    retryable: false,
    title: 'The request could not be understood.',
    hint: 'See the API description at /api/v1/openapi.json.',
  },
  not_found: { status: 404, retryable: false, title: 'There is nothing here.', hint: 'Start at the launch page.' },
  rate_limited: { status: 429, retryable: true, title: 'Too many requests.', hint: 'Wait as long as Retry-After says.' },
  hub_unreachable: {
    status: 503,
    retryable: true,
    title: 'No hub answers.',
    hint: 'Start one with bindery serve, or bindery launch; sessions are kept meanwhile.',
  },
  hub_locked: {
    status: 409,
    retryable: false,
    title: 'Another hub already uses this state folder.',
    hint: 'Use that hub, or give this one a folder of its own (--state).',
  },
  relay_locked: {
    status: 409,
    retryable: false,
    title: 'Another relay already uses this folder.',
    hint: 'Use that relay, or give this one a folder of its own (--set relay.folder=…).',
  },
  relay_unreachable: {
    status: 503,
    retryable: false,
    title: 'No relay runs on this folder.',
    hint: 'Start one with bindery relay. One with another folder is named with --set relay.folder=… or --state.',
  },
  supernode_locked: {
    status: 409,
    retryable: false,
    title: 'Another supernode already keeps the documents of this Jupyter server.',
    hint: 'Use that one, or end it; with a folder of its own (--set supernode.folder=…) the two would not see what the other one edits.',
  },
  supernode_unreachable: {
    status: 503,
    retryable: false,
    title: 'No supernode runs for this Jupyter server.',
    hint: 'Start one with bindery supernode --server <address>. One with another folder is named with --set supernode.folder=… or --state.',
  },
  documents_locked: {
    status: 409,
    retryable: true,
    title: 'Another process still keeps the shared documents of this folder.',
    hint: 'It ends by itself when what started it has gone; try again in a moment.',
  },
  jupyter_unreachable: {
    status: 502,
    retryable: true,
    title: 'No Jupyter server answers at this address.',
    hint: 'Start it, or give its base address as it prints it, with what follows the port.',
  },
  jupyter_refused: {
    status: 403,
    retryable: false,
    title: 'The Jupyter server does not accept the token.',
    hint: 'Give its token by --token-file <file> or BINDERY_SUPERNODE_TOKEN. A server that has a password only needs one: jupyter lab --IdentityProvider.token=…',
  },
  jupyter_too_old: {
    status: 501,
    retryable: false,
    title: 'The Jupyter server is too old.',
    hint: 'jupyter-server 2.0 or newer is needed (JupyterLab 4, Notebook 7): pip install -U jupyter-server.',
  },
  port_taken: { status: 409, retryable: false, title: 'The port is taken.', hint: 'Choose another with --port, or 0 for any.' },
  config_invalid: { status: 400, retryable: false, title: 'The configuration is not valid.', hint: 'See docs/reference/configuration.md.' },
  tool_missing: {
    status: 500,
    retryable: false,
    title: 'A program that Bindery needs is missing.',
    hint: 'See bindery doctor for the command that installs it.',
  },
  notebook_invalid: {
    status: 422,
    retryable: false,
    title: 'The file is not a notebook that can be shared.',
    hint: 'Open it as text to see what is wrong. A notebook of an old format is converted by: jupyter nbconvert --to notebook.',
  },
  ...DOCUMENT_ERRORS,
  internal: {
    status: 500,
    retryable: true,
    title: 'Something went wrong in Bindery itself.',
    hint: 'Please report it with the launch id.',
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

/** The error that stages, engines and the hub throw for a failure that a person should read (I4). */
export class BinderyError extends Error {
  readonly code: ErrorCode;
  /** Said in place of the table's hint, where the place that failed knows better. */
  readonly hint: string;
  readonly retryable: boolean;
  readonly status: number;
  /** The end of the log that shows the cause, if there is one. */
  readonly logTail: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    extra: { hint?: string | undefined; logTail?: string | undefined; retryable?: boolean | undefined; cause?: unknown } = {},
  ) {
    super(message, extra.cause === undefined ? undefined : { cause: extra.cause });
    const entry: ErrorEntry = ERRORS[code];
    this.name = 'BinderyError';
    this.code = code;
    this.hint = extra.hint ?? entry.hint;
    this.retryable = extra.retryable ?? entry.retryable;
    this.status = entry.status;
    this.logTail = extra.logTail;
  }
}
