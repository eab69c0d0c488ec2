import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { CopyButton } from '../shell/copy-button.tsx';
import { plural } from '../time.ts';
import type { LogBuffer } from './log-buffer.ts';

/** The launch's log: its last line always, all of it in a terminal or as plain text when opened. */
export function LogPanel({ log, name }: { log: LogBuffer; name: string }) {
  const open = useSignal(false);
  const plain = useSignal(false);
  return (
    <section class="log" aria-label="Log">
      <button type="button" class="log-bar" aria-expanded={open.value} aria-controls="log-body" onClick={() => (open.value = !open.value)}>
        <span class="log-title">Log</span>
        <span class="log-last">{log.lastLine.value || 'Nothing yet'}</span>
        <span class="log-count">{plural(log.count.value, 'line')}</span>
      </button>
      <div id="log-body" class="log-body" hidden={!open.value}>
        {open.value && (
          <>
            <div class="log-tools">
              <CopyButton text={() => log.text()} label="Copy" />
              <button type="button" class="button small" onClick={() => download(log.text(), name)}>
                Download
              </button>
              <button type="button" class="button small" aria-pressed={plain.value} onClick={() => (plain.value = !plain.value)}>
                Plain text
              </button>
            </div>
            {plain.value ? <PlainLog log={log} /> : <TerminalLog log={log} />}
          </>
        )}
      </div>
    </section>
  );
}

function TerminalLog({ log }: { log: LogBuffer }) {
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    let unmount: (() => void) | undefined;
    let gone = false;
    void import('./terminal.ts').then(({ mountTerminal }) => {
      if (!gone && host.current) unmount = mountTerminal(host.current, log);
    });
    return () => {
      gone = true;
      unmount?.();
    };
  }, [log]);
  return <div class="log-terminal" ref={host} />;
}

function PlainLog({ log }: { log: LogBuffer }) {
  // Reading the count makes the text follow the log.
  const text = log.count.value > 0 ? log.text() : 'Nothing yet';
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reachable by keyboard
    <pre class="tail log-plain" tabIndex={0} aria-label="Log as plain text" role="region">
      {text}
    </pre>
  );
}

function download(text: string, name: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
