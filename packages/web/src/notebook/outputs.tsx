import { useLayoutEffect, useRef } from 'preact/hooks';
import { isObject, type Json, type JsonObject } from '@bindery/rtc/json.ts';
import { ansiPieces } from './ansi.ts';
import { imageSource } from './images.ts';
import { markdownNodes } from './markdown.ts';
import { safeHtml } from './safe-html.ts';

/** Characters of a text output that are shown; what is longer is in JupyterLab. */
const LONGEST = 500_000;

/** What a cell has shown. Whatever is in it, nothing of it runs here. */
export function Outputs({ outputs }: { outputs: readonly JsonObject[] }) {
  if (outputs.length === 0) return null;
  return (
    <div class="outputs">
      {outputs.map((output, index) => (
        <Output key={index} output={output} />
      ))}
    </div>
  );
}

function Output({ output }: { output: JsonObject }) {
  const type = output['output_type'];
  if (type === 'stream') return <Terminal text={textOf(output['text'])} class={output['name'] === 'stderr' ? 'stderr' : ''} />;
  if (type === 'error') return <Terminal text={traceback(output)} class="error" />;
  const { data } = output;
  return isObject(data) ? <Rich data={data} /> : null;
}

function Rich({ data }: { data: JsonObject }) {
  const html = data['text/html'];
  if (html !== undefined && data['application/vnd.jupyter.widget-view+json'] === undefined)
    return <Nodes make={() => safeHtml(textOf(html))} source={textOf(html)} />;
  const image = imageSource(data);
  // What is on it, nobody said.
  if (image !== undefined)
    return <img class="output-image" src={image} alt={textOf(data['text/plain']) || 'Image without a description'} />;
  const markdown = data['text/markdown'];
  if (markdown !== undefined) return <Nodes make={() => markdownNodes(textOf(markdown))} source={textOf(markdown)} />;
  const plain = data['text/plain'] ?? data['text/latex'];
  if (plain !== undefined) return <Terminal text={textOf(plain)} class="" />;
  const json = data['application/json'];
  if (json !== undefined) return <Terminal text={JSON.stringify(json, undefined, 2)} class="" />;
  return <p class="quiet small">An output of {Object.keys(data).join(', ').slice(0, 200) || 'no kind'}: it is shown in JupyterLab.</p>;
}

/** Nodes that were made safe, put in as they are: never as text that a browser reads once more. */
export function Nodes({ make, source }: { make: () => DocumentFragment; source: string }) {
  const host = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const element = host.current;
    if (!element) return;
    element.replaceChildren(make());
    // What can be scrolled can be reached with the keyboard.
    if (element.scrollWidth > element.clientWidth) element.tabIndex = 0;
    else element.removeAttribute('tabindex');
  }, [source]);
  return <div class="rich" ref={host} />;
}

function Terminal({ text, class: className }: { text: string; class: string }) {
  const shown = text.length > LONGEST ? `${text.slice(0, LONGEST)}\n… ${text.length - LONGEST} more characters` : text;
  return (
    <pre class={`terminal ${className}`}>
      {ansiPieces(shown).map(({ text: piece, classes }, index) =>
        classes === '' ? (
          piece
        ) : (
          <span key={index} class={classes}>
            {piece}
          </span>
        ),
      )}
    </pre>
  );
}

function traceback({ traceback: lines, ename, evalue }: JsonObject): string {
  return Array.isArray(lines) && lines.length > 0 ? lines.map(textOf).join('\n') : `${textOf(ename)}: ${textOf(evalue)}`;
}

/** A text, in one piece or several. */
function textOf(value: Json | undefined): string {
  if (typeof value === 'string') return value;
  return Array.isArray(value) ? value.filter((piece) => typeof piece === 'string').join('') : '';
}
