import { defineConfig } from 'vite';

/**
 * The hub serves `dist/` as it is: `index.html` for every page of its own, everything else below `/assets/` for ever (names carry a hash). The
 * other pages find what they need beside themselves, wherever they are served.
 */
export default defineConfig({
  base: './',
  experimental: {
    renderBuiltUrl: (file, { hostId }) => (hostId === 'index.html' ? `/${file}` : undefined),
  },
  build: {
    target: 'es2022',
    // Nothing inline: the page's policy is `default-src 'self'`, which blocks data: images and fonts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: { input: ['index.html', 'rtc-todo.html', 'rtc-lumino.html', 'notebook.html', 'graphql.html'] },
  },
});
