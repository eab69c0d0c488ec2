import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';
import type { ITheme } from '@xterm/xterm';
import { adoptingStyles } from './adopted-styles.ts';
import { paletteColours } from './palette.ts';
import type { LogBuffer } from './log-buffer.ts';

/** Shows the log in a read-only terminal inside `host` until the returned function is called. Loaded when first needed. */
export function mountTerminal(host: HTMLElement, log: LogBuffer): () => void {
  const terminal = new Terminal({
    convertEol: true,
    disableStdin: true,
    cursorBlink: false,
    cursorInactiveStyle: 'none',
    fontFamily: style(host, 'font-family'),
    fontSize: 12.5,
    lineHeight: 1.3,
    // A log is a stranger's text: its hyperlinks are shown as text.
    linkHandler: { activate: () => undefined },
    scrollback: 20_000,
    theme: theme(host),
  });
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  adoptingStyles(document, () => terminal.open(host));
  terminal.attachCustomKeyEventHandler((event) => scrollByKey(terminal, event));
  terminal.textarea?.setAttribute('aria-label', 'Log. Arrow keys and Page Up or Page Down scroll.');
  terminal.textarea?.setAttribute('readonly', '');

  const resize = new ResizeObserver(() => {
    if (host.clientWidth > 0) fit.fit();
  });
  resize.observe(host);
  const scheme = matchMedia('(prefers-color-scheme: dark)');
  const recolour = (): void => void (terminal.options.theme = theme(host));
  scheme.addEventListener('change', recolour);
  const unfollow = log.follow((lines) => terminal.write(lines.map((line) => `${paletteColours(line)}\r\n`).join('')));

  return () => {
    unfollow();
    scheme.removeEventListener('change', recolour);
    resize.disconnect();
    terminal.dispose();
  };
}

/** The terminal takes no input: keys scroll, and Tab goes on to the next element. */
function scrollByKey(terminal: Terminal, event: KeyboardEvent): boolean {
  const by: Record<string, () => void> = {
    ArrowUp: () => terminal.scrollLines(-1),
    ArrowDown: () => terminal.scrollLines(1),
    PageUp: () => terminal.scrollPages(-1),
    PageDown: () => terminal.scrollPages(1),
    Home: () => terminal.scrollToTop(),
    End: () => terminal.scrollToBottom(),
  };
  const scroll = by[event.key];
  if (scroll && event.type === 'keydown') {
    scroll();
    event.preventDefault();
  }
  return false;
}

function theme(host: HTMLElement): ITheme {
  const colour = (name: string): string => style(host, `--log-${name}`);
  return {
    background: colour('paper'),
    foreground: colour('ink'),
    cursor: colour('paper'),
    selectionBackground: colour('selection'),
    black: colour('black'),
    red: colour('red'),
    green: colour('green'),
    yellow: colour('yellow'),
    blue: colour('blue'),
    magenta: colour('magenta'),
    cyan: colour('cyan'),
    white: colour('ink'),
    brightBlack: colour('black'),
    brightRed: colour('red'),
    brightGreen: colour('green'),
    brightYellow: colour('yellow'),
    brightBlue: colour('blue'),
    brightMagenta: colour('magenta'),
    brightCyan: colour('cyan'),
    brightWhite: colour('ink'),
  };
}

function style(host: HTMLElement, name: string): string {
  return getComputedStyle(host).getPropertyValue(name).trim();
}
