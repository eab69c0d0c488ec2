import { z } from 'zod';
import type { Json } from '../json.ts';
import { cellsOf, metaOf } from '../notebook/shared-notebook.ts';
import { boolean, list, map, number, register, string, text } from './fields.ts';
import { ListRows, RootRow } from './rows.ts';
import { defineTable, type TableDefinition } from './table.ts';

const json = z.json() as z.ZodType<Json>;
const jsonObject = z.record(z.string(), json);
const nullable = <T extends Json>(schema: z.ZodType<T>): z.ZodType<T | null> => schema.nullable();

/** What the Jupyter server says of a kernel that it can start (`GET api/kernelspecs`), and whether it is the default. */
const KernelSpec = z.looseObject({
  name: z.string(),
  default: z.boolean(),
  spec: z.looseObject({
    language: z.string(),
    argv: z.array(z.string()),
    display_name: z.string(),
    env: z.record(z.string(), z.string()).optional(),
    interrupt_mode: z.enum(['signal', 'message']).optional(),
    metadata: jsonObject.optional(),
  }),
  resources: z.record(z.string(), z.string()),
}) as z.ZodType<Json>;

/** `requested` is what members write that may execute: a kernel is started, and the session is there as another record; or `failed` says why not. */
const SessionState = z.discriminatedUnion('label', [
  z.object({ label: z.literal('requested'), kernel: z.object({ name: z.string() }) }),
  z.object({ label: z.literal('failed'), message: z.string() }),
  z.object({ label: z.literal('pending'), kernel: z.object({ name: z.string() }) }),
  z.object({ label: z.literal('created'), kernelId: z.string() }),
]);

const MimeBundle = z.object({ data: jsonObject, metadata: jsonObject });

/**
 * Where an execution stands. `requested`: nobody has begun. `in progress`: code runs. The others are ends: `abort` means that it did not run, or
 * not to its end, without an error of its own; its message says why.
 */
export const ExecutionStatus = z.discriminatedUnion('status', [
  z.object({ status: z.literal('requested') }),
  z.object({ status: z.literal('in progress') }),
  z.object({ status: z.literal('ok'), executionCount: z.number().int().nullable(), result: MimeBundle.nullable() }),
  z.object({ status: z.literal('abort'), message: z.string().default('') }),
  z.object({ status: z.literal('error'), ename: z.string(), evalue: z.string(), traceback: z.array(z.string()) }),
]);
export type ExecutionStatus = z.infer<typeof ExecutionStatus>;

/** Something that an execution shows before it ends. */
export const Display = z.discriminatedUnion('type', [
  z.object({ type: z.literal('stream'), name: z.enum(['stdout', 'stderr']), text: z.string() }),
  z.object({ type: z.literal('data'), data: jsonObject, metadata: jsonObject, displayId: z.string().nullable() }),
]);
export type Display = z.infer<typeof Display>;

/** A kernel, and which life of it: 0, and one more with every restart. */
const KernelRef = z.object({ id: z.string(), session: z.number().int() });

const RequestStatus = z.enum(['requested', 'done', 'failed']);

/** What a Jupyter server has beside its files (`files.ts`): one document for all of it. */
export const SERVER_TABLES = {
  kernelspecs: defineTable({ kernelspec: register(nullable(KernelSpec), null) }),
  /** One record, `status`. */
  status: defineTable({ started: string(), lastActivity: string(), connections: number(), kernels: number() }),
  terminals: defineTable({ name: string() }),
  kernels: defineTable({
    name: string(),
    lastActivity: string(),
    connections: number(),
    /** How often it was restarted. */
    session: number(),
    /** What its process calls itself: another name means that it was restarted. */
    process: string(),
    status: register<string>(z.enum(['starting', 'idle', 'busy', 'restarting', 'dead']), 'starting'),
    /** What the kernel says of itself (`kernel_info_reply`). */
    info: register(nullable(jsonObject), null),
  }),
  sessions: defineTable({
    path: string(),
    name: string(),
    type: string(),
    state: register(SessionState, { label: 'pending', kernel: { name: '' } }),
    /** Who asked for it, of a request; the server's. */
    owner: string(),
  }),
};

const NOTEBOOK = {
  nbformat: number(),
  nbformatMinor: number({ key: 'nbformat_minor' }),
  metadata: map(json),
};

const CELL = {
  type: register<string>(z.string(), 'code', { key: 'cell_type' }),
  text: text({ key: 'source' }),
  metadata: map(json),
  attachments: register(jsonObject, {}),
  outputs: list(jsonObject),
  executionCount: register(z.number().int().nullable(), null, { key: 'execution_count' }),
  executionState: register<string>(z.string(), 'idle', { key: 'execution_state' }),
  /** The id of the cell's last execution. Ours: it is written to no file. */
  execution: register(z.string().nullable(), null),
};

const OF_CODE = new Set(['outputs', 'executionCount', 'executionState', 'execution']);

const notebooks: TableDefinition<typeof NOTEBOOK> = { fields: NOTEBOOK, rows: (doc) => new RootRow(metaOf(doc), 'notebook') };

const cells: TableDefinition<typeof CELL> = {
  fields: CELL,
  rows: (doc) => new ListRows(cellsOf(doc)),
  has: (name, { type = 'code', attachments }) =>
    OF_CODE.has(name) ? type === 'code' : name !== 'attachments' || attachments !== undefined,
};

/**
 * What one notebook has: one document each. `notebooks` (one record, `notebook`) and `cells` are views of the shared form that JupyterLab knows,
 * in the order of the notebook; the others lie beside it.
 */
export const NOTEBOOK_TABLES = {
  notebooks,
  cells,
  /**
   * Members that may execute ask by a record with `code` and `kernel`, which is `requested`, or the server by its own API. What runs is what was asked
   * for, whatever becomes of the record and the cell. What is shown is in the cell, as long as the cell names the execution, and else here.
   */
  executions: defineTable({
    code: string(),
    kernel: register(KernelRef.nullable(), null),
    status: register<ExecutionStatus>(ExecutionStatus, { status: 'requested' }),
    displays: list<Display>(Display),
    silent: boolean(),
    userExpressions: map(z.string()),
    /** The id of the cell that it belongs to. */
    cell: register(z.string().nullable(), null),
    allowStdin: boolean(),
    /** True asks for what runs to be interrupted. */
    interrupt: boolean(),
    /** Who asked, where the server knows. The fields from here on are the server's. */
    owner: string(),
    /** Times as ISO 8601. */
    requestedAt: string(),
    startedAt: string(),
    endedAt: string(),
    /** By which the server knows after a restart that it has accepted the request. */
    seal: string(),
    /** The number of the kernel's last message whose output is shown: by it one that goes on after a crash knows whether some are missing. */
    heard: register(z.number().int().nullable(), null),
    /** Places of outputs in their list, by display id. */
    displayIds: map(z.number()),
  }),
  /** Questions of running code (`input_request`) and their answers. */
  stdin: defineTable({
    execution: string(),
    prompt: string(),
    isPassword: boolean(),
    /** Null until somebody answered. A password is answered elsewhere: what lies here, all can read. */
    answer: register(z.string().nullable(), null),
  }),
  /** Widgets' and others' channels to the kernel. */
  comms: defineTable({ target: string(), kernel: register(KernelRef.nullable(), null), data: register(json, null), isOpen: boolean() }),
  /** `complete_request`; positions in code points, as the kernel's. */
  completions: defineTable({
    kernel: register(KernelRef.nullable(), null),
    code: string(),
    cursor: number(),
    status: register<string>(RequestStatus, 'requested'),
    matches: list(z.string()),
    start: number(),
    end: number(),
    metadata: register(jsonObject, {}),
  }),
  /** `inspect_request`. */
  inspections: defineTable({
    kernel: register(KernelRef.nullable(), null),
    code: string(),
    cursor: number(),
    detail: number(),
    status: register<string>(RequestStatus, 'requested'),
    result: register(MimeBundle.nullable(), null),
  }),
};
