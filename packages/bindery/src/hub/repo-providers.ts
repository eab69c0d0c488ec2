import type { RepoProvider } from '@bindery/wire/api.ts';
import type { Provider } from '../contracts/provider.ts';

/** How forms of the old contract show a provider, as BinderHub describes its own (`display_config` of its repoproviders.py). */
const KNOWN: Readonly<Record<string, Omit<RepoProvider, 'id' | 'displayName'>>> = {
  gh: {
    spec: { validateRegex: '[^/]+/[^/]+/.+' },
    detect: { regex: '^(https?://github.com/)?(?<repo>.*[^/])/?' },
    repo: {
      label: 'GitHub repository name or URL',
      placeholder: 'example: binder-examples/requirements or https://github.com/binder-examples/requirements',
      urlEncode: false,
    },
    ref: { enabled: true, default: 'HEAD' },
  },
  git: {
    spec: { validateRegex: '[^/]+/.+' },
    repo: { label: 'Arbitrary git repository URL', placeholder: 'example: http://git.example.com/repo', urlEncode: true },
    ref: { enabled: true, default: 'HEAD' },
  },
};

/** The providers of this hub in the form of the old contract's `/api/repoproviders`. */
export function repoProviders(providers: ReadonlyMap<string, Provider>): RepoProvider[] {
  return [...providers.values()].map(({ id, displayName }) => {
    const known = KNOWN[id] ?? { spec: { validateRegex: '.+' }, repo: { label: displayName, placeholder: '' }, ref: { enabled: false } };
    return { displayName, id, ...known };
  });
}
