import type { ComponentChildren } from 'preact';
import { Mark } from './mark.tsx';

/** The head of a page: whose it is, as a link where there is a page to begin at, and what the page has beside that. */
export function Top({ home, children }: { home?: string; children: ComponentChildren }) {
  const name = (
    <>
      <Mark />
      <span>Bindery</span>
    </>
  );
  return (
    <header class="top">
      {home === undefined ? (
        <span class="brand">{name}</span>
      ) : (
        <a class="brand" href={home} data-route>
          {name}
        </a>
      )}
      {children}
    </header>
  );
}
