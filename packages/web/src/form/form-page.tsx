import { useComputed, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Example } from '@bindery/wire/api.ts';
import type { Services } from '../app.tsx';
import { BinderyError } from '@bindery/wire/errors.ts';
import { Notice } from '../shell/notice.tsx';
import { Page } from '../shell/page.tsx';
import { Problem } from '../shell/problem.tsx';
import { BadgeHelper } from './badge.tsx';
import { detect } from './detection.ts';
import type { Detection, Wish } from './detection.ts';
import { Offers } from './offers.tsx';

/** `/`: paste anything, see what it is taken for, launch it. */
export function FormPage({ services }: { services: Services }) {
  const { config, hub, router } = services;
  const wish = useSignal<Wish>({ text: '', ref: '', file: '', asOf: '' });
  const found = useComputed(() => detect(wish.value));
  const examples = useSignal<Example[] | undefined>(undefined);
  const problem = useSignal<BinderyError | undefined>(undefined);
  useEffect(() => {
    const said = (error: unknown): void => void (problem.value = error instanceof BinderyError ? error : undefined);
    hub.info().then(({ authorized, open }) => {
      if (!authorized && !open) said(new BinderyError('unauthorized', 'This browser holds no key.'));
    }, said);
    hub.examples().then(
      (list) => (examples.value = list),
      () => (examples.value = []),
    );
  }, [hub]);
  const launch = (): void => {
    if (found.value.path !== undefined) router.go(found.value.path, { asked: true });
  };
  if (!config.isolated) return <NotIsolated />;
  return (
    <Page
      title=""
      class="form"
      heading="Any Git repository, as a live notebook"
      lead={<p>Paste its address. Bindery reads what it needs, builds that once, and opens it here.</p>}
    >
      {problem.value ? (
        <Problem error={problem.value} retry={() => location.reload()} />
      ) : (
        <>
          <LaunchForm wish={wish} found={found.value} launch={launch} />
          <Offers examples={examples.value} services={services} />
          <BadgeHelper hub={config.publicUrl + config.baseUrl.slice(0, -1)} path={found.value.path} />
        </>
      )}
    </Page>
  );
}

/** Without a sandbox a page launches nothing, so it offers nothing to launch. */
function NotIsolated() {
  return (
    <Page title="" class="form" heading="Any Git repository, as a live notebook">
      <Notice kind="warn" title="This machine cannot isolate what a repository runs">
        <p>
          So nothing is launched from this page. From the terminal run, as you and with all that you may do: the bundled example (
          <code>bindery launch</code>), a folder of your own (<code>bindery launch .</code>), and what you vouch for (
          <code>bindery launch user/repo --trust</code>). <code>bindery doctor</code> says what is missing for more.
        </p>
      </Notice>
    </Page>
  );
}

function LaunchForm({ wish, found, launch }: { wish: { value: Wish }; found: Detection; launch: () => void }) {
  const field = useRef<HTMLInputElement>(null);
  const tried = useSignal(false);
  const set = (change: Partial<Wish>): void => {
    tried.value = false;
    wish.value = { ...wish.value, ...change };
  };
  const submit = (event: Event): void => {
    event.preventDefault();
    if (found.path !== undefined) return launch();
    tried.value = true;
    field.current?.focus();
  };
  const wrong = found.problem !== undefined && (tried.value || found.settled);
  return (
    <form class="sheet launch-form" onSubmit={submit} noValidate>
      <label for="link">Repository</label>
      <div class="field-row">
        <input
          id="link"
          ref={field}
          type="text"
          inputMode="url"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          placeholder="https://github.com/user/repo"
          aria-describedby="found"
          aria-invalid={wrong}
          value={wish.value.text}
          onInput={(event) => set({ text: event.currentTarget.value })}
        />
        <button type="submit" class="button primary">
          Launch
        </button>
      </div>
      <p id="found" class={wrong ? 'found wrong' : 'found'} aria-live="polite">
        {wrong || (tried.value && found.problem) ? found.problem : found.words}
      </p>
      <details class="options">
        <summary>Branch, file to open, date</summary>
        <div class="option-grid">
          <Option id="ref" label="Branch, tag or commit" placeholder="default branch" value={wish.value.ref} set={(ref) => set({ ref })} />
          <Option id="file" label="File to open" placeholder="index.ipynb" value={wish.value.file} set={(file) => set({ file })} />
          <Option
            id="as-of"
            type="date"
            label="Packages as of"
            value={wish.value.asOf}
            set={(asOf) => set({ asOf })}
            about="For old repositories: takes the packages that were there on that day."
          />
        </div>
      </details>
    </form>
  );
}

function Option({ id, label, value, set, placeholder, type = 'text', about }: OptionProps) {
  return (
    <div class="option">
      <label for={id}>{label}</label>
      <input
        id={id}
        {...(type === 'date' ? { type: 'date' } : { type: 'text' })}
        value={value}
        placeholder={placeholder}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        aria-describedby={about ? `${id}-about` : undefined}
        onInput={(event) => set(event.currentTarget.value)}
      />
      {about && (
        <p class="quiet small" id={`${id}-about`}>
          {about}
        </p>
      )}
    </div>
  );
}

interface OptionProps {
  id: string;
  label: string;
  value: string;
  set: (value: string) => void;
  placeholder?: string;
  type?: 'text' | 'date';
  about?: string;
}
