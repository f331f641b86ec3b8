// The one error of src/native. C++ makes it too: load-addon.ts hands the class over.

const NEEDED_RIGHTS = 'needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN';

/** What the reader can do about it, or ''. */
function hintFor(code: string, operation: string): string {
  if (code === 'ENOTBPFFS') return '; no bpffs is mounted there, mount one: mount -t bpf bpf DIRECTORY';
  // EACCES on load is the verifier's: the program is wrong, not the user.
  if (code === 'EPERM' || (code === 'EACCES' && operation !== 'object.load')) return `; ${NEEDED_RIGHTS}`;
  return '';
}

export class BpfError extends Error {
  /** Stable, for programs: an errno name ('ENOENT'), libbpf's ('EFORMAT', 'ERELOC') or our own ('ECLOSED', 'EKEYSIZE', ...). */
  readonly code: string;
  /** What was tried: 'map.get', 'object.load'. */
  readonly operation: string;
  /** libbpf's messages on open and load, the verifier log among them; the path for pins; else ''. */
  readonly detail: string;

  constructor(code: string, operation: string, reason: string, detail = '') {
    super(`${operation}: ${reason} (${code})${hintFor(code, operation)}`);
    this.name = 'BpfError';
    this.code = code;
    this.operation = operation;
    this.detail = detail;
  }
}
