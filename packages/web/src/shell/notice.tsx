import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

/** A framed message: what happened, what to do. With `focus` it takes the focus, so that it is read at once. */
export function Notice({ kind, title, children, focus = false }: NoticeProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (focus) heading.current?.focus({ preventScroll: true });
  }, [focus]);
  return (
    <section class={`notice ${kind}`} aria-label={title}>
      <h2 ref={heading} tabIndex={-1}>
        {title}
      </h2>
      {children}
    </section>
  );
}

interface NoticeProps {
  kind: 'bad' | 'warn' | 'good' | 'calm';
  title: string;
  children: ComponentChildren;
  focus?: boolean;
}
