/** What somebody may do in a room or in a session; each includes those before it. */
export const ROLES = ['read', 'edit', 'execute', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** True when `role` includes what `least` may do. */
export function includes(role: Role, least: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(least);
}
