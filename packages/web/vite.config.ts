import { defineConfig } from 'vite';

/** The hub serves `dist/` as it is: `index.html` for every page, everything else below `/assets/` for ever (names carry a hash). */
export default defineConfig({
  base: '/',
  build: {
    target: 'es2022',
    // Nothing inline: the page's policy is `default-src 'self'`, which blocks data: images and fonts.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
