import type { Command } from 'commander';
import type { CreateLaunch, LaunchOptions, LaunchView } from '@bindery/wire/api.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import { isFinal, type FailedEvent, type LaunchEvent, type Phase, type ReadyEvent } from '@bindery/wire/events.ts';
import { randomId } from '@bindery/wire/ids.ts';
import { describeLink } from '@bindery/wire/link.ts';
import { systemClock } from '../base/clock.ts';
import { browserCommand, openBrowser } from './browser.ts';
import { command, configOf, configWords, ownName, type Cli } from './common.ts';
import { asBinderyError, EXIT, exitCodeOf, failureText } from './exit.ts';
import { findHub, type FoundHub } from './hub-find.ts';
import { endHub, isStarted, startHub, type StartedHub } from './hub-start.ts';
import { interruptOf, type Interrupt } from './interrupt.ts';
import { sessionLink, sessionOf } from './session-id.ts';
import { linkOf, optionsOf, planOptions, TRUST, type LaunchFlags } from './launch-options.ts';
import { progressView, type ProgressView } from './progress-view.ts';
import { stay } from './stay.ts';
import { duration, tame, type Terminal } from './terminal.ts';

/** Milliseconds that a hub gets to end its sessions and itself. */
const END_MS = 15_000;

/** `bindery launch`: from a link to an open notebook, and to its end. */
export function launchCommand(cli: Cli): Command {
  return planOptions(
    command('launch', 'Open a repository as a live notebook, and keep it until Ctrl-C', [
      ['bindery launch', 'the bundled example'],
      ['bindery launch user/repo', 'a repository on GitHub'],
      ['bindery launch https://gitlab.com/group/repo --ref v1.2', 'a tag of any Git repository'],
      ['bindery launch . --path notebooks/start.ipynb', 'this folder, as it is now'],
      ['bindery launch user/old --as-of 2021-06-01', 'with the packages of that day'],
      ['bindery launch --restore abcd', 'go on with what an ended session changed (bindery list)'],
      ['bindery launch user/repo --json --no-open', 'events for a program; the last has url and token'],
    ]).argument('[link]', 'user/repo, any Git address, a local folder, or a mybinder-style link'),
  )
    .option('--path <path>', 'file or folder of the repository to open')
    .option('--urlpath <path>', 'what to open below the address of the session')
    .option('--trust', TRUST)
    .option('--restore <session>', 'with the saved work of a session that ended; without a link, over the commit that it had')
    .option('--detach', 'return when the session is ready, and leave it and the hub running')
    .option('--no-open', 'do not open a browser')
    .option('--port <number>', 'port of the hub, if one is started; 0 means any')
    .action((link: string | undefined, flags: LaunchFlags) => cli.run(flags, () => new LaunchRun(cli, flags).run(link)));
}

/** One run of a command that follows a launch. */
export class LaunchRun {
  readonly #cli: Cli;
  readonly #flags: LaunchFlags;
  readonly #terminal: Terminal;
  readonly #more: LaunchOptions;
  #events = 0;
  #phase: Phase = 'resolving';
  #view: ProgressView | undefined;

  constructor(cli: Cli, flags: LaunchFlags, more: LaunchOptions = {}) {
    this.#cli = cli;
    this.#flags = flags;
    this.#terminal = cli.terminal;
    this.#more = more;
  }

  /** From the link to the end; tells every failure itself, in JSON as the `failed` event that ends the stream. */
  async run(text: string | undefined): Promise<number> {
    const interrupt = interruptOf(process, () => systemClock.monotonic());
    try {
      return await this.#withHub(text, interrupt);
    } catch (error) {
      if (interrupt.signal.aborted) return this.#interrupted();
      return this.#fail(error);
    } finally {
      interrupt.close();
    }
  }

  async #withHub(text: string | undefined, interrupt: Interrupt): Promise<number> {
    const options = optionsOf(this.#flags, this.#more);
    const given = text === undefined && this.#flags.restore !== undefined ? undefined : linkOf(text, this.#terminal.env);
    const { config } = configOf(this.#flags, this.#terminal);
    const start = {
      config,
      words: configWords(this.#flags),
      env: this.#terminal.env,
      main: this.#cli.main,
      signal: interrupt.signal,
      say: (message: string) => this.#say(message),
    };
    const running = await findHub(config);
    if (!this.#flags.json) {
      const { paint } = this.#terminal;
      this.#terminal.err(`${paint('bold', 'Bindery')} ${running ? 'joins the hub that runs' : 'starts a hub …'}\n`);
    }
    const hub = running ?? (await startHub(start));
    const started = isStarted(hub) ? hub : undefined;
    this.#greet(hub, started !== undefined, config.hub.port);
    let detached = false;
    try {
      const launch = await hub.client.createLaunch(await this.#order(hub, given, options), randomId());
      const final = await this.#follow(hub, launch, interrupt.signal);
      if (final.phase === 'failed') return this.#failed(final);
      await this.#ready(final, hub, launch);
      detached = this.#flags.detach === true;
      if (detached || final.sessionId === undefined) return EXIT.ok;
      return await stay({ terminal: this.#terminal, hub, started, sessionId: final.sessionId, interrupt });
    } finally {
      if (started && !detached) await this.#end(started, interrupt);
    }
  }

  /** What is asked of the hub; a session that is restored says which link, where none was given. */
  async #order(hub: FoundHub, given: string | undefined, options: LaunchOptions): Promise<CreateLaunch> {
    const { restore } = this.#flags;
    if (restore === undefined || restore === '') return { link: given ?? linkOf(undefined, this.#terminal.env), options };
    const session = await sessionOf(hub.client, restore);
    const link = given ?? session.link;
    if (link !== undefined) return { link, options: { ...options, restore: session.id } };
    throw new BinderyError('request_invalid', `It is not known which link session ${session.id} was launched from.`, {
      hint: 'Give the link too: bindery launch <link> --restore <session>.',
    });
  }

  /** What the hub is installing: also a program that reads events shows this to a person, on stderr. */
  #say(message: string): void {
    if (this.#view) this.#view.note(message);
    else this.#terminal.err(`  ${tame(message)}\n`);
  }

  #greet(hub: FoundHub, started: boolean, wanted: number): void {
    if (this.#flags.json) return;
    const port = Number(new URL(hub.url).port);
    const moved = started && wanted !== 0 && port !== wanted ? `  (port ${wanted} is taken)` : '';
    const late = !started && this.#flags.port !== undefined && Number(this.#flags.port) !== port;
    this.#terminal.err(`  Hub         ${hub.url}${moved}${late ? '  (it runs already, so --port does nothing)' : ''}\n`);
  }

  /** Shows the entries as they come. A Ctrl-C cancels the launch. */
  async #follow(hub: FoundHub, launch: LaunchView, signal: AbortSignal): Promise<ReadyEvent | FailedEvent> {
    if (!this.#flags.json) this.#terminal.err(`  Repository  ${describeLink(launch.link)}\n\n`);
    const view = (this.#view = this.#flags.json ? undefined : progressView(this.#terminal, systemClock));
    try {
      for await (const event of hub.client.follow(launch.id, { launchKey: launch.key, signal })) {
        if (view) view.show(event);
        else this.#print(event);
        if (isFinal(event)) return event;
      }
    } catch (error) {
      if (signal.aborted && !this.#flags.json) this.#terminal.err('\n  Interrupted.\n');
      if (signal.aborted) await hub.client.cancelLaunch(launch.id, launch.key).catch(() => {}); // it may just have ended
      throw error;
    } finally {
      view?.close();
      this.#view = undefined;
    }
    throw new BinderyError('internal', 'The log of the launch ended without saying how.');
  }

  #print(event: LaunchEvent): void {
    this.#events = event.seq + 1;
    this.#phase = event.phase;
    this.#terminal.out(`${JSON.stringify(event)}\n`);
  }

  async #ready(event: ReadyEvent, hub: FoundHub, launch: LaunchView): Promise<void> {
    if (this.#flags.json) return;
    const { paint, paintOut } = this.#terminal;
    this.#terminal.err(`\n  ${paint('green', '✓')} ${paint('bold', `Ready in ${duration(event.ms)}`)}  ${describeLink(launch.link)}\n`);
    const { sessionId } = event;
    if (sessionId === undefined) return;
    const self = ownName(this.#terminal.env);
    const { isolated } = await hub.client.info();
    if (!isolated)
      this.#terminal.err(`\n  ${paint('red', 'Not isolated: what this repository holds runs as you, with all that you may do.')}\n`);
    const link = (): Promise<string> => sessionLink(hub.client, sessionId);
    const browser = this.#flags.open ? browserCommand(this.#terminal) : undefined;
    if (browser) openBrowser(browser, await link(), this.#terminal.env);
    this.#terminal.err(`\n  ${browser ? 'Opening your browser. If nothing shows, open this link:' : 'Open this link:'}\n\n`);
    this.#terminal.out(`    ${paintOut('bold', await link())}\n`);
    this.#terminal.err(`\n  ${paint('dim', `It lets one browser in, within the hour. A fresh one: ${self} open ${sessionId}`)}\n`);
    const end = this.#flags.detach
      ? `The session stays. To end it: ${self} stop ${sessionId}`
      : 'Press Ctrl-C to end the session; changed files are saved.';
    this.#terminal.err(`  ${end}\n`);
  }

  async #end(hub: StartedHub, interrupt: Interrupt): Promise<void> {
    interrupt.onForce(() => {
      this.#terminal.err('  Ended by force; what was not saved is lost.\n');
      hub.kill();
    });
    if (!this.#flags.json) this.#terminal.err('\n  Ending the hub and its sessions …\n');
    const outcome = await endHub(hub, END_MS);
    if (outcome === 'killed') this.#terminal.err('  The hub did not end in time and was killed.\n');
    else if (!this.#flags.json) this.#terminal.err('  Ended.\n');
  }

  #failed(event: FailedEvent): number {
    if (!this.#flags.json) this.#terminal.err(`\n${failureText(event, this.#terminal)}`);
    return EXIT.failed;
  }

  /** A failure outside the launch's own log, in the same form. */
  #fail(reason: unknown): number {
    const error = asBinderyError(reason);
    const { code, message, hint, retryable, logTail } = error;
    if (!this.#flags.json) this.#terminal.err(failureText(error, this.#terminal));
    else
      this.#print({
        seq: this.#events,
        at: new Date().toISOString(),
        phase: 'failed',
        during: this.#phase,
        code,
        message,
        hint,
        retryable,
        ...(logTail ? { logTail } : {}),
      });
    return exitCodeOf(error);
  }

  #interrupted(): number {
    if (this.#flags.json) this.#fail(new BinderyError('cancelled', 'Interrupted.'));
    return EXIT.interrupted;
  }
}
