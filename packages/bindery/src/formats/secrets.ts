/**
 * An address without the user and password in it, so that it may be stored and shown. The plain user name of an ssh address stays.
 * Works on any text that holds an address, `git+https://…` included.
 */
export function withoutCredentials(text: string): string {
  return text.replace(/\b([a-z][a-z0-9+.-]*):\/\/([^\s/?#]*)@/gi, (whole: string, scheme: string, user: string) => {
    const ssh = /(^|\+)ssh$/i.test(scheme);
    if (ssh && !user.includes(':')) return whole;
    return ssh ? `${scheme}://${user.slice(0, user.indexOf(':'))}@` : `${scheme}://`;
  });
}
