import '../no-eval.ts';
import { render } from 'preact';
import { Explorer } from './explorer.tsx';
import { Session } from './session.ts';

/** The page lies at `<base of the Jupyter server>-/graphql`, what it asks at `<base>graphql`. */
const root = document.getElementById('page');
if (root) {
  root.replaceChildren();
  render(<Explorer session={new Session(new URL('../graphql', location.href))} />, root);
}
