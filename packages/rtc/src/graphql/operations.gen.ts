// Made by scripts/reference.ts of `schema.graphql` and `operations.graphql`.
import type { Json } from '../json.ts';
import type { Operation } from './operation.ts';

export type Role = 'read' | 'edit' | 'execute' | 'admin';

export type CellType = 'code' | 'markdown' | 'raw';

export interface Splice {
  readonly at: number;
  readonly remove?: number;
  readonly text?: string;
}

export type ExecutionState = 'requested' | 'in_progress' | 'ok' | 'error' | 'abort';

export type OutputParts = { readonly __typename: 'StreamOutput'; readonly name: string; readonly text: string; readonly blob: { readonly url: string; readonly bytes: number } | null } | { readonly __typename: 'DataOutput'; readonly isResult: boolean; readonly executionCount: number | null; readonly values: readonly ({ readonly type: string; readonly value: Json | null; readonly blob: { readonly url: string; readonly bytes: number } | null })[]; readonly metadata: Json } | { readonly __typename: 'ErrorOutput'; readonly name: string; readonly message: string; readonly traceback: readonly string[] };

export type ExecutionParts = { readonly id: string; readonly state: ExecutionState; readonly cell: string | null; readonly kernel: string | null; readonly requestedAt: string | null; readonly startedAt: string | null; readonly endedAt: string | null; readonly executionCount: number | null; readonly message: string | null };

export type CellParts = { readonly id: string; readonly type: string; readonly source: string; readonly executionCount: number | null; readonly state: string; readonly execution: ExecutionParts | null; readonly outputs: readonly OutputParts[] };

export type KernelParts = { readonly id: string; readonly name: string; readonly status: string; readonly lastActivity: string; readonly restarts: number };

export const Me: Operation<
  'query',
  { readonly me: { readonly role: Role; readonly path: string } },
  Record<string, never>
> = {
  kind: 'query',
  name: 'Me',
  text: 'query Me{me{role path}}',
};

export const Notebooks: Operation<
  'query',
  { readonly notebooks: readonly ({ readonly path: string; readonly name: string; readonly lastModified: string; readonly size: number | null; readonly writable: boolean })[] },
  { readonly folder?: string | null; readonly first?: number }
> = {
  kind: 'query',
  name: 'Notebooks',
  text: 'query Notebooks($folder:String$first:Int!=100){notebooks(folder:$folder first:$first){path name lastModified size writable}}',
};

export const Notebook: Operation<
  'query',
  { readonly notebook: { readonly id: string; readonly path: string; readonly isDirty: boolean; readonly saveError: string | null; readonly metadata: Json; readonly cellCount: number; readonly cells: readonly CellParts[]; readonly questions: readonly ({ readonly id: string; readonly execution: string; readonly prompt: string; readonly isPassword: boolean })[] } },
  { readonly path: string; readonly offset?: number; readonly first?: number }
> = {
  kind: 'query',
  name: 'Notebook',
  text: 'fragment OutputParts on Output{__typename ...on StreamOutput{name text blob{url bytes}}...on DataOutput{isResult executionCount values{type value blob{url bytes}}metadata}...on ErrorOutput{name message traceback}}fragment ExecutionParts on Execution{id state cell kernel requestedAt startedAt endedAt executionCount message}fragment CellParts on Cell{id type source executionCount state execution{...ExecutionParts}outputs(first:20){...OutputParts}}query Notebook($path:String!$offset:Int!=0$first:Int!=50){notebook(path:$path){id path isDirty saveError metadata cellCount cells(offset:$offset first:$first){...CellParts}questions{id execution prompt isPassword}}}',
};

export const Kernels: Operation<
  'query',
  { readonly kernels: readonly KernelParts[]; readonly sessions: readonly ({ readonly id: string; readonly path: string; readonly type: string; readonly kernel: { readonly id: string } | null })[]; readonly kernelspecs: readonly ({ readonly name: string; readonly displayName: string; readonly language: string; readonly isDefault: boolean })[] },
  Record<string, never>
> = {
  kind: 'query',
  name: 'Kernels',
  text: 'fragment KernelParts on Kernel{id name status lastActivity restarts}query Kernels{kernels{...KernelParts}sessions{id path type kernel{id}}kernelspecs{name displayName language isDefault}}',
};

export const Presence: Operation<
  'query',
  { readonly presence: readonly ({ readonly name: string; readonly color: string | null; readonly state: Json })[] },
  { readonly path?: string | null }
> = {
  kind: 'query',
  name: 'Presence',
  text: 'query Presence($path:String){presence(path:$path){name color state}}',
};

export const CreateNotebook: Operation<
  'mutation',
  { readonly createNotebook: { readonly id: string; readonly path: string } },
  { readonly path: string; readonly kernel?: string | null }
> = {
  kind: 'mutation',
  name: 'CreateNotebook',
  text: 'mutation CreateNotebook($path:String!$kernel:String){createNotebook(path:$path kernel:$kernel){id path}}',
};

export const RenameNotebook: Operation<
  'mutation',
  { readonly renameNotebook: { readonly id: string; readonly path: string } },
  { readonly path: string; readonly to: string }
> = {
  kind: 'mutation',
  name: 'RenameNotebook',
  text: 'mutation RenameNotebook($path:String!$to:String!){renameNotebook(path:$path to:$to){id path}}',
};

export const DeleteNotebook: Operation<
  'mutation',
  { readonly deleteNotebook: string },
  { readonly path: string }
> = {
  kind: 'mutation',
  name: 'DeleteNotebook',
  text: 'mutation DeleteNotebook($path:String!){deleteNotebook(path:$path)}',
};

export const InsertCell: Operation<
  'mutation',
  { readonly insertCell: { readonly id: string } },
  { readonly path: string; readonly type?: CellType; readonly source?: string; readonly at?: number | null; readonly after?: string | null }
> = {
  kind: 'mutation',
  name: 'InsertCell',
  text: 'mutation InsertCell($path:String!$type:CellType!=code$source:String!=""$at:Int$after:ID){insertCell(path:$path type:$type source:$source at:$at after:$after){id}}',
};

export const ChangeCell: Operation<
  'mutation',
  { readonly changeCell: { readonly id: string; readonly source: string; readonly sourceHash: string } },
  { readonly path: string; readonly cell: string; readonly source?: string | null; readonly splices?: readonly Splice[] | null; readonly sourceHash?: string | null }
> = {
  kind: 'mutation',
  name: 'ChangeCell',
  text: 'mutation ChangeCell($path:String!$cell:ID!$source:String$splices:[Splice!]$sourceHash:String){changeCell(path:$path cell:$cell source:$source splices:$splices sourceHash:$sourceHash){id source sourceHash}}',
};

export const MoveCell: Operation<
  'mutation',
  { readonly moveCell: { readonly id: string } },
  { readonly path: string; readonly cell: string; readonly at?: number | null; readonly after?: string | null }
> = {
  kind: 'mutation',
  name: 'MoveCell',
  text: 'mutation MoveCell($path:String!$cell:ID!$at:Int$after:ID){moveCell(path:$path cell:$cell at:$at after:$after){id}}',
};

export const DeleteCell: Operation<
  'mutation',
  { readonly deleteCell: string },
  { readonly path: string; readonly cell: string }
> = {
  kind: 'mutation',
  name: 'DeleteCell',
  text: 'mutation DeleteCell($path:String!$cell:ID!){deleteCell(path:$path cell:$cell)}',
};

export const RunCell: Operation<
  'mutation',
  { readonly runCell: ExecutionParts },
  { readonly path: string; readonly cell: string; readonly kernel?: string | null; readonly sourceHash?: string | null; readonly allowStdin?: boolean }
> = {
  kind: 'mutation',
  name: 'RunCell',
  text: 'fragment ExecutionParts on Execution{id state cell kernel requestedAt startedAt endedAt executionCount message}mutation RunCell($path:String!$cell:ID!$kernel:String$sourceHash:String$allowStdin:Boolean!=true){runCell(path:$path cell:$cell kernel:$kernel sourceHash:$sourceHash allowStdin:$allowStdin){...ExecutionParts}}',
};

export const CancelExecution: Operation<
  'mutation',
  { readonly cancelExecution: boolean },
  { readonly path: string; readonly execution: string }
> = {
  kind: 'mutation',
  name: 'CancelExecution',
  text: 'mutation CancelExecution($path:String!$execution:ID!){cancelExecution(path:$path execution:$execution)}',
};

export const InterruptKernel: Operation<
  'mutation',
  { readonly interruptKernel: KernelParts },
  { readonly kernel: string }
> = {
  kind: 'mutation',
  name: 'InterruptKernel',
  text: 'fragment KernelParts on Kernel{id name status lastActivity restarts}mutation InterruptKernel($kernel:ID!){interruptKernel(kernel:$kernel){...KernelParts}}',
};

export const RestartKernel: Operation<
  'mutation',
  { readonly restartKernel: KernelParts },
  { readonly kernel: string }
> = {
  kind: 'mutation',
  name: 'RestartKernel',
  text: 'fragment KernelParts on Kernel{id name status lastActivity restarts}mutation RestartKernel($kernel:ID!){restartKernel(kernel:$kernel){...KernelParts}}',
};

export const AnswerInput: Operation<
  'mutation',
  { readonly answerInput: string },
  { readonly path: string; readonly question: string; readonly value: string }
> = {
  kind: 'mutation',
  name: 'AnswerInput',
  text: 'mutation AnswerInput($path:String!$question:ID!$value:String!){answerInput(path:$path question:$question value:$value)}',
};

export const NotebookChanges: Operation<
  'subscription',
  { readonly notebook: { readonly notebook: { readonly path: string; readonly isDirty: boolean; readonly saveError: string | null; readonly questions: readonly ({ readonly id: string; readonly execution: string; readonly prompt: string; readonly isPassword: boolean })[] }; readonly cells: readonly CellParts[]; readonly removed: readonly string[]; readonly order: readonly string[] | null } },
  { readonly path: string }
> = {
  kind: 'subscription',
  name: 'NotebookChanges',
  text: 'fragment OutputParts on Output{__typename ...on StreamOutput{name text blob{url bytes}}...on DataOutput{isResult executionCount values{type value blob{url bytes}}metadata}...on ErrorOutput{name message traceback}}fragment ExecutionParts on Execution{id state cell kernel requestedAt startedAt endedAt executionCount message}fragment CellParts on Cell{id type source executionCount state execution{...ExecutionParts}outputs(first:20){...OutputParts}}subscription NotebookChanges($path:String!){notebook(path:$path){notebook{path isDirty saveError questions{id execution prompt isPassword}}cells{...CellParts}removed order}}',
};

export const CellChanges: Operation<
  'subscription',
  { readonly cell: CellParts },
  { readonly path: string; readonly cell: string }
> = {
  kind: 'subscription',
  name: 'CellChanges',
  text: 'fragment OutputParts on Output{__typename ...on StreamOutput{name text blob{url bytes}}...on DataOutput{isResult executionCount values{type value blob{url bytes}}metadata}...on ErrorOutput{name message traceback}}fragment ExecutionParts on Execution{id state cell kernel requestedAt startedAt endedAt executionCount message}fragment CellParts on Cell{id type source executionCount state execution{...ExecutionParts}outputs(first:20){...OutputParts}}subscription CellChanges($path:String!$cell:ID!){cell(path:$path cell:$cell){...CellParts}}',
};

export const ExecutionChanges: Operation<
  'subscription',
  { readonly execution: ExecutionParts & { readonly outputs: readonly OutputParts[] } },
  { readonly path: string; readonly execution: string }
> = {
  kind: 'subscription',
  name: 'ExecutionChanges',
  text: 'fragment OutputParts on Output{__typename ...on StreamOutput{name text blob{url bytes}}...on DataOutput{isResult executionCount values{type value blob{url bytes}}metadata}...on ErrorOutput{name message traceback}}fragment ExecutionParts on Execution{id state cell kernel requestedAt startedAt endedAt executionCount message}subscription ExecutionChanges($path:String!$execution:ID!){execution(path:$path execution:$execution){...ExecutionParts outputs(first:100){...OutputParts}}}',
};

export const KernelChanges: Operation<
  'subscription',
  { readonly kernels: readonly KernelParts[] },
  Record<string, never>
> = {
  kind: 'subscription',
  name: 'KernelChanges',
  text: 'fragment KernelParts on Kernel{id name status lastActivity restarts}subscription KernelChanges{kernels{...KernelParts}}',
};

export const PresenceChanges: Operation<
  'subscription',
  { readonly presence: readonly ({ readonly name: string; readonly color: string | null; readonly state: Json })[] },
  { readonly path?: string | null }
> = {
  kind: 'subscription',
  name: 'PresenceChanges',
  text: 'subscription PresenceChanges($path:String){presence(path:$path){name color state}}',
};
