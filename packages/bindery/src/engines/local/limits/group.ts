export interface Limits { readonly memoryBytes: number; readonly processes: number; readonly diskBytes: number; readonly cpus: number }
export interface Group { readonly joinFiles: string[]; readonly folders: string[]; readonly memoryUsage?: string; readonly processCount?: string; readonly oomEvents?: string; readonly holds: { memory: boolean; processes: boolean }; remove(): Promise<void> }
export async function createGroup(_name: string, _limits: Limits): Promise<Group | undefined> { return undefined; }
