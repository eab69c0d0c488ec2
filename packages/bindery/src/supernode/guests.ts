import { includes, type Role } from '@bindery/wire/roles.ts';
import { isWithin } from '../base/within.ts';
import { JupyterError } from './jupyter-server.ts';

/** What somebody may do, and with which files: those at or below this path, all where it is empty. */
export interface Guest {
  readonly role: Role;
  readonly path: string;
  /** Who that is, as far as it is known, for what is asked for in his name; his role, where nothing is. */
  readonly owner?: string | undefined;
}

/** True for who may see and edit this file: those who may run code all, the others what was shared with them. */
export function mayReach({ role, path: shared }: Guest, path: string | undefined): boolean {
  return includes(role, 'execute') || (path !== undefined && isWithin(shared, path));
}

/** In whose name something is asked for. */
export function ownerOf({ role, owner = role }: Guest): string {
  return owner;
}

/** @throws JupyterError 403 for a file that is not shared with who asks */
export function mustReach(guest: Guest, path: string): void {
  if (!mayReach(guest, path)) throw new JupyterError(403, 'This file is not shared with you.');
}

/** What changes files or runs code is for those who may do so. @throws JupyterError 403 for the others */
export function mustRun({ role }: Guest): void {
  if (!includes(role, 'execute')) throw new JupyterError(403, `This needs the role execute, and yours is ${role}.`);
}
