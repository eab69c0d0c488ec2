import { BinderyError } from '@bindery/wire/errors.ts';

/**
 * The system calls a sandbox may make, as a classic BPF program for `bwrap --seccomp FD` (I7).
 *
 * What is refused is what a notebook has no use for and what kernel break-outs are made of: mounting, namespaces,
 * kernel modules and keys, tracing of the kernel, io_uring, file handles, odd socket families, and typing into a terminal.
 * Threads, sub-processes, debuggers (`ptrace` stays within the sandbox's own processes), and the runtimes of Go and Node work.
 */

interface Machine {
  /** AUDIT_ARCH_* of linux/audit.h. */
  readonly audit: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly calls: { readonly clone: number; readonly unshare: number; readonly sockets: readonly number[]; readonly ioctl: number };
}

/** Numbers that every architecture shares (424 and up). */
const COMMON = {
  io_uring_setup: 425,
  io_uring_enter: 426,
  io_uring_register: 427,
  open_tree: 428,
  move_mount: 429,
  fsopen: 430,
  fsconfig: 431,
  fsmount: 432,
  fspick: 433,
  mount_setattr: 442,
  quotactl_fd: 443,
  memfd_secret: 447,
  open_tree_attr: 467,
};

/** clone3 passes its flags by address, where no filter can look: C libraries fall back to clone when it does not exist. */
const CLONE3 = 435;

/** The first number that was not given to a system call when this was written (Linux 6.18); what comes later is not there for sandboxes, x32 included. */
const UNKNOWN = 470;

const X64: Machine = {
  audit: 0xc000003e,
  calls: { clone: 56, unshare: 272, sockets: [41, 53], ioctl: 16 },
  // prettier-ignore
  refused: {
    ...COMMON,
    syslog: 103, uselib: 134, ustat: 136, sysfs: 139, vhangup: 153, modify_ldt: 154, pivot_root: 155, _sysctl: 156, adjtimex: 159, chroot: 161,
    acct: 163, settimeofday: 164, mount: 165, umount2: 166, swapon: 167, swapoff: 168, reboot: 169, sethostname: 170, setdomainname: 171,
    iopl: 172, ioperm: 173, create_module: 174, init_module: 175, delete_module: 176, get_kernel_syms: 177, query_module: 178, quotactl: 179,
    nfsservctl: 180, lookup_dcookie: 212, clock_settime: 227, kexec_load: 246, add_key: 248, request_key: 249, keyctl: 250, migrate_pages: 256,
    vmsplice: 278, move_pages: 279, perf_event_open: 298, fanotify_init: 300, name_to_handle_at: 303, open_by_handle_at: 304, clock_adjtime: 305,
    setns: 308, finit_module: 313, kexec_file_load: 320, bpf: 321, userfaultfd: 323,
  },
};

const ARM64: Machine = {
  audit: 0xc00000b7,
  calls: { clone: 220, unshare: 97, sockets: [198, 199], ioctl: 29 },
  // prettier-ignore
  refused: {
    ...COMMON,
    lookup_dcookie: 18, umount2: 39, mount: 40, pivot_root: 41, nfsservctl: 42, chroot: 51, vhangup: 58, quotactl: 60, vmsplice: 75, acct: 89,
    kexec_load: 104, init_module: 105, delete_module: 106, clock_settime: 112, syslog: 116, reboot: 142, sethostname: 161, setdomainname: 162,
    settimeofday: 170, adjtimex: 171, add_key: 217, request_key: 218, keyctl: 219, swapon: 224, swapoff: 225, migrate_pages: 238, move_pages: 239,
    perf_event_open: 241, fanotify_init: 262, name_to_handle_at: 264, open_by_handle_at: 265, clock_adjtime: 266, setns: 268, finit_module: 273,
    bpf: 280, userfaultfd: 282, kexec_file_load: 294,
  },
};

/** CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID and NET. */
const NEW_NAMESPACE = 0x7e020000;
/** CLONE_NEWTIME: of `unshare` alone, since for `clone` these bits are the exit signal. */
const NEW_TIME = 0x80;
/** TIOCSTI and TIOCLINUX: what puts characters into somebody's terminal. */
const TYPING = [0x5412, 0x541c];
const [AF_UNIX, AF_INET, AF_INET6, AF_NETLINK] = [1, 2, 10, 16];
const NETLINK_ROUTE = 0;
/** Default, ICMP, TCP, UDP, ICMPv6: anything else loads a kernel module that hardly anybody uses or looks after. */
const PROTOCOLS = [0, 1, 6, 17, 58];

const [EPERM, ENOSYS, EPROTONOSUPPORT, EAFNOSUPPORT] = [1, 38, 93, 97];
const [ALLOW, KILL, ERRNO] = [0x7fff0000, 0x80000000, 0x00050000];
const [LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN] = [0x20, 0x15, 0x35, 0x45, 0x06];
const [NUMBER, ARCH] = [0, 4];
/** Offset of the low half of argument `index` in struct seccomp_data; both machines are little-endian and all that is looked at are 32-bit values. */
const argument = (index: number): number => 16 + 8 * index;

type Instruction = readonly [code: number, value: number, yes: number, no: number];
const load = (offset: number): Instruction => [LOAD, offset, 0, 0];
const end = (action: number): Instruction => [RETURN, action, 0, 0];
const refuse = (errno: number): Instruction => end(ERRNO | errno);
/** Runs `then` when the loaded value meets the test, else goes on behind it. */
const when = (code: number, value: number, then: readonly Instruction[]): Instruction[] => [[code, value, 0, then.length], ...then];

const INTERNET: readonly Instruction[] = [
  load(argument(2)),
  ...PROTOCOLS.flatMap((protocol) => when(EQUAL, protocol, [end(ALLOW)])),
  refuse(EPROTONOSUPPORT),
];
/** Of `socket` and `socketpair`, whose arguments are family, type and protocol. */
const SOCKETS: readonly Instruction[] = [
  load(argument(0)),
  ...when(EQUAL, AF_UNIX, [end(ALLOW)]),
  ...when(EQUAL, AF_INET, INTERNET),
  ...when(EQUAL, AF_INET6, INTERNET),
  ...when(EQUAL, AF_NETLINK, [load(argument(2)), ...when(EQUAL, NETLINK_ROUTE, [end(ALLOW)]), refuse(EPROTONOSUPPORT)]),
  refuse(EAFNOSUPPORT),
];

/** The filter for this architecture (`process.arch`), ready for `--seccomp`. */
export function seccompFilter(arch: string): Buffer {
  const machine = arch === 'x64' ? X64 : arch === 'arm64' ? ARM64 : undefined;
  if (!machine) throw new BinderyError('sandbox_unavailable', `There is no system call filter for the architecture ${arch}.`);
  return encode(program(machine));
}

function program({ audit, refused, calls }: Machine): Instruction[] {
  return [
    load(ARCH),
    [EQUAL, audit, 1, 0], // another personality (i386 on x64) has other numbers
    end(KILL),
    load(NUMBER),
    ...when(AT_LEAST, UNKNOWN, [refuse(ENOSYS)]),
    ...when(EQUAL, CLONE3, [refuse(ENOSYS)]),
    ...Object.values(refused).flatMap((number) => when(EQUAL, number, [refuse(EPERM)])),
    ...when(EQUAL, calls.clone, [load(argument(0)), ...when(ANY_BIT, NEW_NAMESPACE, [refuse(EPERM)]), end(ALLOW)]),
    ...when(EQUAL, calls.unshare, [load(argument(0)), ...when(ANY_BIT, NEW_NAMESPACE | NEW_TIME, [refuse(EPERM)]), end(ALLOW)]),
    ...when(EQUAL, calls.ioctl, [load(argument(1)), ...TYPING.flatMap((request) => when(EQUAL, request, [refuse(EPERM)])), end(ALLOW)]),
    ...calls.sockets.flatMap((number) => when(EQUAL, number, SOCKETS)),
    end(ALLOW),
  ];
}

/** struct sock_filter: u16 code, u8 jump if true, u8 jump if false, u32 value. */
function encode(instructions: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(instructions.length * 8);
  for (const [index, [code, value, yes, no]] of instructions.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(yes, index * 8 + 2);
    bytes.writeUInt8(no, index * 8 + 3);
    bytes.writeUInt32LE(value >>> 0, index * 8 + 4);
  }
  return bytes;
}
