import type { Finding } from '@bindery/wire/events.ts';
import { plural } from '../time.ts';

const EFFECTS: Readonly<Record<Finding['effect'], string>> = { used: 'Used', ignored: 'Not used', unsupported: 'Not supported here' };

/** What was found in the repository, and what was done with it and why. */
export function Findings({ findings, done }: { findings: readonly Finding[] | undefined; done: boolean }) {
  return (
    <section class="sheet findings" aria-labelledby="findings-title">
      <h2 id="findings-title">What is in the repository</h2>
      {findings === undefined ? (
        <p class="quiet">
          {done ? 'Its files were not read.' : 'The files that say what it needs are listed here once they have been read.'}
        </p>
      ) : findings.length === 0 ? (
        <p class="quiet">No file says what it needs, so it gets a plain Python environment.</p>
      ) : (
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reachable by keyboard
        <div class="findings-scroll" tabIndex={0} role="region" aria-label="Files and what was done with them">
          <table>
            <caption class="hidden">{plural(findings.length, 'file')} and what was done with each</caption>
            <thead>
              <tr>
                <th scope="col">File</th>
                <th scope="col">What was done</th>
              </tr>
            </thead>
            <tbody>
              {findings.map((finding) => (
                <tr key={`${finding.pack}/${finding.file}`}>
                  <th scope="row">
                    <code class="wrap">{finding.file}</code>
                  </th>
                  <td>
                    <span class={`chip ${finding.effect}`}>{EFFECTS[finding.effect]}</span> {finding.why}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
