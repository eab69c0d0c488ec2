import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

/** A framed message: what happened, what to do. With `focus` it takes the focus, so that it is read at once. */
export function Notice({ kind, title, children, aside, focus = false, class: className = '' }: NoticeProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (focus) heading.current?.focus({ preventScroll: true });
  }, [focus]);
  return (
    <section class={`notice ${kind} ${className}`} aria-label={title}>
      <div class="notice-head">
        <h2 ref={heading} tabIndex={-1}>
          {title}
        </h2>
        {aside}
      </div>
      {children}
    </section>
  );
}

interface NoticeProps {
  kind: 'bad' | 'warn' | 'good' | 'calm';
  title: string;
  children: ComponentChildren;
  /** Beside the title, at the other end of its line. */
  aside?: ComponentChildren;
  focus?: boolean;
  class?: string;
}
