import { z } from 'zod';

/** Types of messages by which a client does what its user asked for (Jupyter messaging 5.4). */
const USER_MESSAGE =
  /"msg_type": ?"(?:execute_request|input_reply|comm_open|comm_msg|comm_close|complete_request|inspect_request|is_complete_request|debug_request)"/;

/** Requests that keep a kernel at work for the user; the others (kernel_info_request and the like) are asked by pages on their own. */
const WORK = new Set(['execute_request', 'comm_open', 'comm_msg', 'comm_close']);

const Header = z.object({ msg_type: z.string() });
const Parent = z.object({ msg_type: z.string().optional(), msg_id: z.string().optional() });
const Content = z.object({ execution_state: z.string() });
const Status = z.object({ header: Header, parent_header: Parent, content: Content });

/**
 * True when a client's message is its user's doing. The names of the JSON form stand unescaped in the bytes of all forms
 * (text, text with buffers, v1.kernel.websocket.jupyter.org); inside a string of the message their quotes would be escaped.
 */
export function isUserMessage(start: Buffer): boolean {
  return USER_MESSAGE.test(start.toString('latin1'));
}

/** What a kernel's status message says about its work. */
export interface KernelStatus {
  readonly state: string;
  /** The request that the state belongs to, where that request is work. */
  readonly work: string | undefined;
}

/** Reads a kernel's status message in either form; undefined for every other message. */
export function readStatus(message: Buffer, protocol: string | undefined): KernelStatus | undefined {
  if (!message.includes('"execution_state"')) return undefined;
  const parsed = Status.safeParse(protocol === 'v1.kernel.websocket.jupyter.org' ? fromParts(message) : fromJson(message));
  if (!parsed.success || parsed.data.header.msg_type !== 'status') return undefined;
  const { parent_header: parent, content } = parsed.data;
  return { state: content.execution_state, work: WORK.has(parent.msg_type ?? '') ? parent.msg_id : undefined };
}

function fromJson(message: Buffer): unknown {
  try {
    return JSON.parse(message.toString());
  } catch {
    return undefined;
  }
}

/** v1: a count, that many offsets (64 bits, little endian), then channel, header, parent header, metadata, content, buffers. */
function fromParts(message: Buffer): unknown {
  const count = offset(message, 0);
  if (count === undefined || count < 6 || count > 64) return undefined;
  const part = (index: number): unknown => {
    const from = offset(message, 8 * (index + 1));
    const to = offset(message, 8 * (index + 2));
    return from === undefined || to === undefined || to > message.length ? undefined : fromJson(message.subarray(from, to));
  };
  return { header: part(1), parent_header: part(2), content: part(4) };
}

function offset(message: Buffer, at: number): number | undefined {
  return at + 8 > message.length ? undefined : Number(message.readBigUInt64LE(at));
}
