import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

/** Sets the tab's title: the state first, since tabs are narrow. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title === '' ? 'Bindery' : `${title} · Bindery`;
  }, [title]);
}

/** A page's frame: one main heading, which gets the focus when the page was navigated to. */
export function Page({ title, heading, lead, children, class: className = '' }: PageProps) {
  const top = useRef<HTMLHeadingElement>(null);
  useTitle(title);
  useEffect(() => {
    if (performance.now() > 3000) top.current?.focus({ preventScroll: true });
  }, []);
  return (
    <main id="main" class={`page ${className}`}>
      <h1 ref={top} tabIndex={-1}>
        {heading}
      </h1>
      {lead && <div class="lead">{lead}</div>}
      {children}
    </main>
  );
}

interface PageProps {
  title: string;
  heading: ComponentChildren;
  lead?: ComponentChildren;
  children?: ComponentChildren;
  class?: string;
}
