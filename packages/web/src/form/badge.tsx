import { useSignal } from '@preact/signals';
import { CopyButton } from '../shell/copy-button.tsx';
import { badgeText, FORMATS } from './badge-text.ts';
import type { Format } from './badge-text.ts';

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
      <Copyable id="share-badge" label="Badge" text={text} tall />
    </section>
  );
}

function Copyable({ id, label, text, tall = false }: { id: string; label: string; text: string; tall?: boolean }) {
  return (
    <div class="copyable">
      <label for={id}>{label}</label>
      {tall ? (
        <textarea id={id} readOnly rows={3} value={text} placeholder="Fill in the form first" />
      ) : (
        <input id={id} type="text" readOnly value={text} placeholder="Fill in the form first" />
      )}
      <CopyButton text={() => text} label="Copy" disabled={text === ''} />
    </div>
  );
}
