import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { ComponentType } from 'preact';

/** The page that looks into rooms, loaded when somebody goes there: nobody else needs what it is made of. */
export function LazyLookPage() {
  const page = useSignal<{ readonly Page: ComponentType } | undefined>(undefined);
  useEffect(() => {
    void import('./look-page.tsx').then(({ LookPage }) => (page.value = { Page: LookPage }));
  }, []);
  return page.value ? <page.value.Page /> : <main id="main" class="page" />;
}
