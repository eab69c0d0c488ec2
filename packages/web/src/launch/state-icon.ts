import { useEffect } from 'preact/hooks';
import working from '../icons/favicon-working.svg?url';
import failed from '../icons/favicon-failed.svg?url';
import ready from '../icons/favicon-ready.svg?url';
import type { LaunchModel } from './launch-model.ts';

/** Shows the launch's state on the tab's icon, and the plain icon again afterwards. */
export function useStateIcon(model: LaunchModel): void {
  const phase = model.end?.phase;
  const icon = phase === 'ready' ? ready : phase === 'failed' ? failed : working;
  useEffect(() => {
    const link = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
    if (!link) return undefined;
    const plain = link.dataset['plain'] ?? link.href;
    link.dataset['plain'] = plain;
    link.href = icon;
    return () => void (link.href = plain);
  }, [icon]);
}
