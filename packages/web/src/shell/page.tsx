import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';

/** Sets the tab's title: the state first, since tabs are narrow. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title === '' ? 'Bindery' : `${title} · Bindery`;
  }, [title]);
}

/** A page's frame: one main heading, which `App` gives the focus when somebody comes here from another page. */
export function Page({ title, heading, lead, children, class: className = '' }: PageProps) {
  useTitle(title);
  return (
    <main id="main" class={`page ${className}`}>
      <h1 tabIndex={-1}>{heading}</h1>
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
