/** What the body is asked for. */
export interface BodyOrder {
  /** Folder for everything, the user's own. */
  readonly home: string;
  readonly uv: string;
  /** A word that must not be found inside. */
  readonly canary: string;
  /** Addresses of the world around. */
  readonly targets: readonly (readonly [string, number])[];
  /** An address of the machine itself. */
  readonly machine: string;
}

type Results = Readonly<Record<string, string>>;

/** What probe.py prints: results, or names of errors. */
export interface Probe {
  readonly user: { readonly uid: readonly number[]; readonly gid: readonly number[]; readonly groups: readonly number[] };
  readonly capabilities: Results;
  readonly noNewPrivs: string;
  readonly seccomp: string;
  readonly root: readonly string[];
  readonly mounts: readonly {
    readonly at: string;
    readonly options: readonly string[];
    readonly type: string;
    readonly source: string;
    readonly root: string;
  }[];
  readonly read: Readonly<Record<string, string | readonly string[]>>;
  readonly found: readonly string[];
  readonly environment: boolean;
  readonly processes: Readonly<
    Record<
      string,
      {
        readonly name: string;
        readonly uid: string;
        readonly argv: boolean;
        readonly environ: boolean | string;
        readonly mem: boolean | string;
        readonly fds: string | readonly string[];
        readonly root: boolean | string | readonly string[];
        readonly cwd: string;
      }
    >
  >;
  readonly pids: readonly number[];
  readonly namespaces: Readonly<Record<string, string | boolean>>;
  readonly calls: Results;
  readonly writable: Readonly<Record<string, number>>;
  readonly changes: Readonly<Record<string, Results>>;
  readonly network: {
    readonly direct: Results;
    readonly proxied: Results;
    readonly tunnelled: Results;
    readonly names: Results;
    readonly udp: string;
    readonly raw: string;
    readonly packet: string;
    readonly vsock: string;
    readonly abstract: string;
    readonly sockets: Results;
    readonly interfaces: readonly string[];
    readonly address: boolean;
  };
  readonly devices: {
    readonly names: readonly string[];
    readonly make: string;
    readonly terminals: readonly string[];
    readonly fill: string;
  };
  readonly setuid: { readonly found: number; readonly root: boolean; readonly own: boolean };
  readonly proc: {
    readonly read: Results;
    readonly write: Results;
    readonly hostname: string;
    readonly cgroup: string;
    readonly 'lower score': string;
  };
  readonly signals: Results;
  readonly limits: Readonly<Record<string, number>>;
}

export interface Seen {
  readonly own: { readonly home: string; readonly pid: number; readonly port: number };
  readonly session: Probe;
  readonly build: Probe;
  readonly kernel: { readonly fds: Results; readonly argv: string; readonly token: boolean };
  /** The session's processes as the machine sees them. */
  readonly host: {
    kernel: boolean;
    server: boolean;
    /** Kinds of the server's namespaces that are the machine's. */
    shared: string[];
    uid: number;
    capabilities: string;
    noNewPrivs: string;
    seccomp: string;
    token: boolean;
  }[];
  /** What changing the environment from within said. */
  readonly changes: string;
  readonly storeUnchanged: boolean;
  /** Whether the machine's secrets are what they were. */
  readonly secrets: readonly boolean[];
  readonly openMode: number;
  /** Of a session whose network is open: by target, or why there is none. */
  readonly open: { readonly reached: Results; readonly change: boolean } | { readonly problem: string };
  /** Listing of what was saved of the session. */
  readonly saved: string;
  readonly savedCanary: string;
  readonly folderGone: boolean;
}
