/** An awareness update as y-protocols writes it: what clients say of themselves, as JSON that need not be any. */
export function states(entries: readonly (readonly [client: number, clock: number, state: string])[]): Uint8Array {
  const parts = entries.flatMap(([client, clock, state]) => {
    const text = Buffer.from(state);
    return [number(client), number(clock), number(text.length), text];
  });
  return new Uint8Array(Buffer.concat([number(entries.length), ...parts]));
}

/** Seven bits a byte, the lowest first, the highest bit set on all but the last. */
function number(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) + 128);
  return Uint8Array.from([...bytes, rest]);
}
