import { useLayoutEffect, useRef } from 'preact/hooks';
import { difference } from '@bindery/rtc/tables/fields.ts';

/** A line of text that several edit at once: what others write comes in, and the caret stays where it was in the text. */
export function SharedInput({ value, label, class: className = '', disabled = false, edited, done }: SharedInputProps) {
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    const element = input.current;
    if (!element || element.value === value) return;
    const isHere = document.activeElement === element;
    const { index, remove, text } = difference(element.value, value);
    const moved = (at: number): number =>
      at <= index ? at : at >= index + remove ? at + text.length - remove : Math.min(at, index + text.length);
    const [from, to] = [element.selectionStart ?? 0, element.selectionEnd ?? 0];
    element.value = value;
    if (isHere) element.setSelectionRange(moved(from), moved(to));
  }, [value]);
  return (
    <input
      ref={input}
      class={className}
      aria-label={label}
      disabled={disabled}
      onInput={(event) => edited(event.currentTarget.value)}
      onBlur={done}
      onKeyDown={(event) => event.key === 'Enter' && event.currentTarget.blur()}
    />
  );
}

interface SharedInputProps {
  value: string;
  label: string;
  class?: string;
  disabled?: boolean;
  edited: (value: string) => void;
  /** When the line is left. */
  done?: () => void;
}
