/** Milliseconds of processor time this process has used: what a bound on work is measured by on a busy machine. */
export function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
