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
    const signal = AbortSignal.timeout(PROBE);
    const response = await fetch(`${origin}/s/${sessionId}/-/probe`, { credentials: 'omit', cache: 'no-store', signal });
    return response.ok ? 'host' : 'port';
  } catch {
    return 'port';
  }
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost') || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);
}
