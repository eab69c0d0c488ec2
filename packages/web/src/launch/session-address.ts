/** How long the probe waits, in milliseconds: a name that resolves to loopback answers far sooner. */
const PROBE = 1500;

/**
 * Which form of a session's address this browser can open. Browsers differ in whether `*.localhost` reaches this machine,
 * so on a loopback hub it is tried; elsewhere the operator's wildcard name is relied on.
 */
export async function addressForm(sessionId: string, page: Pick<Location, 'protocol' | 'hostname' | 'port'>): Promise<'host' | 'port'> {
  if (!isLoopback(page.hostname)) return 'host';
  const origin = `${page.protocol}//${sessionId}.localhost${page.port ? `:${page.port}` : ''}`;
  try {
    // An answer of any kind will do, and it is not read.
    await fetch(`${origin}/s/${sessionId}/`, {
      mode: 'no-cors',
      method: 'HEAD',
      credentials: 'omit',
      cache: 'no-store',
      redirect: 'manual',
      signal: AbortSignal.timeout(PROBE),
    });
    return 'host';
  } catch {
    return 'port';
  }
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost') || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}
