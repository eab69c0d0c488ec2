import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useMemo } from 'preact/hooks';
import type { Example } from '@bindery/wire/api.ts';
import type { Services } from '../app.tsx';
import { describePath } from './detection.ts';
import { forgetRecent, recentLaunches } from './recent.ts';

/** Examples that are shown before all are asked for. */
const FIRST = 6;

/** What else can be launched with one click: what was launched before, and what the hub offers. */
export function Offers({ examples, services }: { examples: Example[] | undefined; services: Services }) {
  const { router } = services;
  return (
    <>
      <Recents href={(path) => router.href(path)} />
      <section class="offers" aria-labelledby="examples-title">
        <h2 id="examples-title">Examples</h2>
        <Examples examples={examples} href={(path) => router.href(path)} />
      </section>
    </>
  );
}

function Recents({ href }: { href: (path: string) => string }) {
  const recent = useSignal(useMemo(recentLaunches, []));
  if (recent.value.length === 0) return null;
  const forget = (): void => {
    forgetRecent();
    recent.value = [];
  };
  return (
    <section class="offers" aria-labelledby="recent-title">
      <div class="offers-head">
        <h2 id="recent-title">Launched before</h2>
        <button type="button" class="button small plain" onClick={forget}>
          Forget these
        </button>
      </div>
      <ul class="cards">
        {recent.value.map((one) => (
          <Offer key={one.path} href={href(one.path)} title={one.title} about={one.about} />
        ))}
      </ul>
    </section>
  );
}

function Examples({ examples, href }: { examples: Example[] | undefined; href: (path: string) => string }) {
  const all = useSignal(false);
  if (examples === undefined) return <p class="quiet offers-room">Asking the hub …</p>;
  if (examples.length === 0) return <p class="quiet">This hub offers none. Paste the address of a repository above.</p>;
  const shown = all.value ? examples : examples.slice(0, FIRST);
  return (
    <>
      <ul class="cards offers-room">
        {shown.map((one) => {
          const path = describePath(one.link);
          return path && <Offer key={one.link} href={href(path)} title={one.title} about={one.about} />;
        })}
      </ul>
      {examples.length > FIRST && (
        <button type="button" class="button small" aria-expanded={all.value} onClick={() => (all.value = !all.value)}>
          {all.value ? 'Show fewer' : `Show all ${examples.length}`}
        </button>
      )}
    </>
  );
}

function Offer({ href, title, about }: { href: string; title: string; about: string }) {
  return (
    <li>
      <a class="card" href={href} data-route>
        <span class="card-title">{title}</span>
        <span class="card-about">{withCode(about)}</span>
      </a>
    </li>
  );
}

/** Text whose `marked` parts are code. */
function withCode(text: string): ComponentChildren {
  const parts = text.split('`');
  if (parts.length % 2 === 0) return text;
  return parts.map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part));
}
