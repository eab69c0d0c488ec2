import { useSignal } from '@preact/signals';
import { CopyButton } from '../shell/copy-button.tsx';

type Format = 'Markdown' | 'HTML' | 'reStructuredText';
const FORMATS: readonly Format[] = ['Markdown', 'HTML', 'reStructuredText'];

/** The text that puts a launch badge into a README. */
export function badgeText(format: Format, hub: string, path: string): string {
  const [link, image] = [hub + path, `${hub}/badge_logo.svg`];
  switch (format) {
    case 'Markdown':
      return `[![Launch](${image})](${link})`;
    case 'HTML':
      return `<a href="${link.replaceAll('&', '&amp;')}"><img src="${image}" alt="Launch"></a>`;
    default:
      return `.. image:: ${image}\n   :alt: Launch\n   :target: ${link}`;
  }
}

/** Gives the link of the form and the badge for it, ready to copy. */
export function BadgeHelper({ hub, path }: { hub: string; path: string | undefined }) {
  const format = useSignal<Format>('Markdown');
  const text = path === undefined ? '' : badgeText(format.value, hub, path);
  return (
    <section class="sheet badge" aria-labelledby="badge-title">
      <h2 id="badge-title">Share it</h2>
      <p class="quiet">A link or a badge for a README, made from the form above.</p>
      <Copyable id="share-link" label="Link" text={path === undefined ? '' : hub + path} />
      <fieldset class="choices">
        <legend class="hidden">Format of the badge</legend>
        {FORMATS.map((one) => (
          <label key={one} class="choice">
            <input type="radio" name="badge-format" checked={format.value === one} onChange={() => (format.value = one)} />
            <span>{one}</span>
          </label>
        ))}
      </fieldset>
      <Copyable id="share-badge" label="Badge" text={text} />
    </section>
  );
}

function Copyable({ id, label, text }: { id: string; label: string; text: string }) {
  return (
    <div class="copyable">
      <label for={id}>{label}</label>
      <textarea id={id} readOnly rows={text.includes('\n') ? 3 : 1} value={text} placeholder="Fill in the form first" />
      <CopyButton text={() => text} label="Copy" disabled={text === ''} />
    </div>
  );
}
