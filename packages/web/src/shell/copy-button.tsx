import { useSignal } from '@preact/signals';

/** Copies text to the clipboard and says so on itself, without changing its width. */
export function CopyButton({ text, label, class: className = 'button small', disabled = false }: CopyProps) {
  const said = useSignal<'' | 'Copied' | 'Not copied'>('');
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text());
      said.value = 'Copied';
    } catch {
      said.value = 'Not copied';
    }
    setTimeout(() => (said.value = ''), 2000);
  };
  return (
    <button type="button" class={`${className} copy`} disabled={disabled} onClick={() => void copy()}>
      <span class={said.value ? 'copy-label gone' : 'copy-label'}>{label}</span>
      <span class="copy-said" role="status">
        {said.value}
      </span>
    </button>
  );
}

interface CopyProps {
  text: () => string;
  label: string;
  class?: string;
  disabled?: boolean;
}
