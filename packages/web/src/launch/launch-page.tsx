import { useComputed, useSignal } from '@preact/signals';
import type { Signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import type { LaunchOptions } from '@bindery/wire/api.ts';
import { BinderyError } from '@bindery/wire/errors.ts';
import { formatV2, RESTORE } from '@bindery/wire/link-v2.ts';
import type { Services } from '../app.tsx';
import { describeLink, readLaunchPath } from '../form/detection.ts';
import { rememberRecent } from '../form/recent.ts';
import type { Described } from '../form/detection.ts';
import { LogPanel } from '../log/log-panel.tsx';
import { shortRef, webAddress } from '../sessions/session-words.ts';
import { Page } from '../shell/page.tsx';
import { Problem } from '../shell/problem.tsx';
import { preference } from '../shell/preference.ts';
import { Announcer } from './announcer.tsx';
import { AskFirst } from './ask-first.tsx';
import { Failure } from './failure.tsx';
import { useStateIcon } from './state-icon.ts';
import { Findings } from './findings.tsx';
import { LaunchRun } from './launch-run.ts';
import { launchState } from './launch-words.ts';
import { Ready } from './ready.tsx';
import { Running } from './running.tsx';
import { failureReport } from './report.ts';
import { StageList } from './stage-list.tsx';

/** `/v2/{provider}/{spec}`: asks where it must, then follows one launch to its end. */
export function LaunchPage({ path, search, services }: { path: string; search: string; services: Services }) {
  const { config, router } = services;
  const entry = router.entry();
  const asked = useSignal(!config.ask || entry.asked === true || entry.launch !== undefined);
  const link = useMemo(() => readLaunchPath(path, search), [path, search]);
  if (link instanceof BinderyError) return <NoLink error={link} />;
  const what = describeLink(link);
  if (!asked.value)
    return (
      <AskFirst
        what={what}
        restores={new URLSearchParams(search).has(RESTORE)}
        from={config.askFrom}
        isolated={config.isolated}
        agree={() => (asked.value = true)}
        router={router}
      />
    );
  const restore = new URLSearchParams(search).get(RESTORE) ?? undefined;
  return <Launch link={formatV2(link)} restore={restore} what={what} services={services} />;
}

/** An address of the right shape that means nothing. */
function NoLink({ error }: { error: BinderyError }) {
  return (
    <Page title="Not a link" heading="This is not a link to launch">
      <Problem error={error} />
    </Page>
  );
}

/** A name that breaks at its slashes, where it must break. */
function breakable(name: string): ComponentChildren {
  return name.split('/').flatMap((part, index) => (index === 0 ? [part] : ['/', <wbr key={index} />, part]));
}

interface LaunchProps {
  link: string;
  /** The session whose saved work is put over the repository's files. */
  restore: string | undefined;
  what: Described;
  services: Services;
}

function Launch({ link, restore, what, services }: LaunchProps) {
  const { hub, router } = services;
  const run = useMemo(() => new LaunchRun(hub, router), [hub, router]);
  const first = useMemo(() => router.entry(), [router]);
  const goWhenReady = useMemo(() => preference('open-when-ready', true), []);
  const now = useSignal(Date.now());
  const model = run.model.value;
  const state = launchState(model);

  useEffect(() => {
    void run.follow(link, { ...(restore === undefined ? {} : { restore }), ...first.options });
    rememberRecent({ path: link, title: what.title, about: what.about });
    const timer = setInterval(() => (now.value = Date.now()), 250);
    return () => {
      clearInterval(timer);
      run.close();
    };
  }, [run]);
  useStateIcon(model);

  const retry = (options: LaunchOptions = {}): void => {
    const { restoreKey = first.launch?.key } = first;
    router.again({
      asked: true,
      options: { ...first.options, ...options, retry: true },
      ...(restoreKey === undefined ? {} : { restoreKey }),
    });
  };
  // What may have reached the hub, though its answer did not come back, is asked for under the same name.
  const startAgain = (): void => (router.entry().launch ? retry() : router.again({ ...router.entry(), asked: true }));
  const ended = useComputed(() => run.model.value.end !== undefined || run.problem.value !== undefined);
  return (
    <Page
      title={`${run.problem.value ? 'Not started' : state}: ${what.title}`}
      class="launch"
      heading={breakable(what.title)}
      lead={<Lead what={what} run={run} />}
    >
      <Announcer state={state} />
      <Outcome
        run={run}
        services={services}
        link={link}
        retry={retry}
        startAgain={startAgain}
        goWhenReady={goWhenReady}
        left={first.left === true}
        now={now.value}
      />
      <div class="launch-grid">
        <section class="sheet progress" aria-labelledby="progress-title">
          <h2 id="progress-title">Progress</h2>
          <StageList model={model} now={now.value} />
        </section>
        <LogPanel log={run.log} name={`${what.title.replaceAll(/[^\w.-]+/g, '-')}.log`} />
        <Findings findings={model.findings} done={ended.value} />
      </div>
    </Page>
  );
}

/** Where it comes from, and the commit once it is known. */
function Lead({ what, run }: { what: Described; run: LaunchRun }) {
  const { source } = run.model.value;
  const commit = source ? shortRef(source.ref) : '';
  const address = webAddress(source?.refUrl);
  return (
    <p class="launch-lead">
      <span class="wrap">{what.about}</span>
      <span class="commit">
        {commit !== '' && 'commit '}
        {address ? <a href={address}>{commit}</a> : commit}
      </span>
    </p>
  );
}

/** The one place that says how it stands and what can be done; its room is kept from the start. */
function Outcome({ run, services, link, retry, startAgain, goWhenReady, left, now }: OutcomeProps) {
  const { end } = run.model.value;
  if (run.problem.value) return <Problem error={run.problem.value} retry={startAgain} />;
  if (end?.phase === 'failed') {
    return <Failure event={end} retry={retry} report={() => failureReport(end, run, services.config.version, link)} />;
  }
  if (end) {
    const { router, hub } = services;
    const leave = (): void => router.remember({ left: true });
    const go = goWhenReady.value && !left;
    return <Ready event={end} go={go} hub={hub} launchKey={router.entry().launch?.key} leave={leave} retry={retry} />;
  }
  return <Running run={run} goWhenReady={goWhenReady} now={now} />;
}

interface OutcomeProps {
  run: LaunchRun;
  services: Services;
  link: string;
  retry: (options?: LaunchOptions) => void;
  /** Asks for the launch that could not be started. */
  startAgain: () => void;
  goWhenReady: Signal<boolean>;
  left: boolean;
  now: number;
}
