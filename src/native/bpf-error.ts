// The one error of src/native. C++ makes it too: load-addon.ts hands the class over.

const HINTS: Record<string, string> = {
  ENOTBPFFS: 'no bpffs is mounted there; mount one: mount -t bpf bpf DIRECTORY',
  EPERM: 'needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN',
};

export class BpfError extends Error {
  /** Stable, for programs: an errno name ('ENOENT'), libbpf's ('EFORMAT', 'ERELOC') or our own ('ECLOSED', 'EKEYSIZE', ...). */
  readonly code: string;
  /** What was tried: 'map.get', 'object.load'. */
  readonly operation: string;
  /** libbpf's messages on open and load, the verifier log among them; the path for pins; else ''. */
  readonly detail: string;

  constructor(code: string, operation: string, reason: string, detail = '') {
    const hint = HINTS[code];
    super(`${operation}: ${reason} (${code})${hint === undefined ? '' : `; ${hint}`}`);
    this.name = 'BpfError';
    this.code = code;
    this.operation = operation;
    this.detail = detail;
  }
}
