import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useId, useRef } from 'preact/hooks';

/** One of several panels; arrow keys go from tab to tab. */
export function Tabs({ label, tabs }: TabsProps) {
  const current = useSignal(0);
  const list = useRef<HTMLDivElement>(null);
  const id = useId();
  const go = (event: KeyboardEvent): void => {
    const steps: Record<string, number> = { ArrowRight: current.value + 1, ArrowLeft: current.value - 1, Home: 0, End: -1 };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    current.value = (step + tabs.length) % tabs.length;
    (list.current?.children[current.value] as HTMLElement | undefined)?.focus();
  };
  return (
    <>
      <div class="tabs" role="tablist" aria-label={label} ref={list} onKeyDown={go}>
        {tabs.map(({ name }, index) => (
          <button
            key={name}
            type="button"
            role="tab"
            id={`${id}-${index}`}
            aria-selected={index === current.value}
            aria-controls={`${id}-panel`}
            tabIndex={index === current.value ? 0 : -1}
            onClick={() => (current.value = index)}
          >
            {name}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${current.value}`}>
        {tabs[current.value]?.panel()}
      </div>
    </>
  );
}

interface TabsProps {
  label: string;
  tabs: readonly { readonly name: string; readonly panel: () => ComponentChildren }[];
}
