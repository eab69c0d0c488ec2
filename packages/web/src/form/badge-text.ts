/** Where badges are written down. */
export type Format = 'Markdown' | 'HTML' | 'reStructuredText';
export const FORMATS: readonly Format[] = ['Markdown', 'HTML', 'reStructuredText'];

/** The text that puts a launch badge into a README. */
export function badgeText(format: Format, hub: string, path: string): string {
  const [link, image] = [hub + path, `${hub}/badge_logo.svg`];
  switch (format) {
    case 'Markdown':
      return `[![Launch](${image})](${link})`;
    case 'HTML':
      return `<a href="${link.replaceAll('&', '&amp;')}"><img src="${image}" alt="Launch"></a>`;
    default:
      return `.. image:: ${image}\n   :alt: Launch\n   :target: ${link}`;
  }
}
