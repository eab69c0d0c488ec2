import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';

/** Milliseconds that a state must last before it is said: stages that take no time are passed over. */
const SETTLED = 1200;

/** Tells screen readers the launch's state, politely and only when it has settled. */
export function Announcer({ state }: { state: string }) {
  const said = useSignal('');
  useEffect(() => {
    const timer = setTimeout(() => (said.value = state), SETTLED);
    return () => clearTimeout(timer);
  }, [state]);
  return (
    <p class="hidden" role="status">
      {said.value}
    </p>
  );
}
