/**
 * An address without the user and password in it, so that it may be stored and shown. The plain user name of an ssh address stays.
 * `git+https://…` is an address too.
 */
export function withoutCredentials(address: string): string {
  return address.replace(/^([a-z][a-z0-9+.-]*):\/\/([^\s/?#]*)@/i, (whole: string, scheme: string, user: string) => {
    const ssh = /(?:^|\+)ssh$/i.test(scheme);
    if (ssh && !user.includes(':')) return whole;
    return ssh ? `${scheme}://${user.slice(0, user.indexOf(':'))}@` : `${scheme}://`;
  });
}
