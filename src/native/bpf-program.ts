import type { AttachPoint, TestRunInput, TestRunResult } from './addon.ts';
import { BpfError } from './bpf-error.ts';
import { BpfLink } from './bpf-link.ts';
import { Handle } from './handle.ts';
import { addon, type RawProgram } from './load-addon.ts';
import { requireBpffs } from './system.ts';

/** A loaded program. Owns a descriptor: close() it, or close the object that it came from. Links live on without it. */
export class BpfProgram {
  readonly name: string;
  /** The kernel's id, as in LinkInfo.programId. */
  readonly id: number;
  /** enum bpf_prog_type */
  readonly type: number;
  /** Stands for the instructions as they were before the load; the same for the same program of the same object on one kernel. */
  readonly tag: string;
  readonly #handle: Handle<RawProgram>;

  private constructor(raw: RawProgram) {
    this.#handle = new Handle('program', raw);
    ({ name: this.name, id: this.id, type: this.type, tag: this.tag } = raw.properties());
  }

  /** For BpfObject. */
  static fromRaw(raw: RawProgram): BpfProgram {
    return new BpfProgram(raw);
  }

  /**
   * A program by its pin, to run or to attach to tcx, clsact and XDP (not to cgroups: the kernel does not tell the attach type).
   * Throws BpfError ENOENT, ENOTBPFFS, EWRONGKIND.
   */
  static openPinned(path: string): BpfProgram {
    requireBpffs(path, 'program.openPinned');
    return new BpfProgram(new (addon().Program)(path));
  }

  /** A program that is loaded, by the kernel's id; whoever loaded it. Throws BpfError ENOENT, EPERM (needs CAP_SYS_ADMIN). */
  static openById(id: number): BpfProgram {
    return new BpfProgram(new (addon().Program)(id));
  }

  /** The kernel's ids of the maps it uses, .rodata among them. */
  mapIds(): number[] {
    return this.#handle.use('mapIds').mapIds();
  }

  /**
   * Runs the program once (or `repeat` times) on this thread. tc and XDP programs: `data` is a frame with its Ethernet header
   * (at least 14 octets), `context` a struct __sk_buff or xdp_md that comes back as changed. Syscall programs: `context` only.
   * Throws BpfError ENOSPC when outputSize is too small for the packet.
   */
  testRun(input: TestRunInput): TestRunResult {
    const raw = this.#handle.use('testRun');
    checkInput(input);
    return raw.testRun(input);
  }

  /** testRun on another thread; for runs that take long. The input is copied at the call. */
  async testRunAsync(input: TestRunInput): Promise<TestRunResult> {
    const raw = this.#handle.use('testRun');
    checkInput(input);
    return await raw.testRunAsync(input);
  }

  /** Throws BpfError as the kernel refuses: ENODEV, EBADF (no such cgroup: ENOENT), EINVAL (wrong hook for the program), EPERM. */
  attach(point: AttachPoint): BpfLink {
    return BpfLink.attach(this.#handle.use('attach'), point);
  }

  /** Throws BpfError EEXIST when something is pinned there, ENOTBPFFS when there is no bpffs. */
  pin(path: string): void {
    const raw = this.#handle.use('pin');
    requireBpffs(path, 'program.pin');
    raw.pin(path);
  }

  /** Twice is fine. */
  close(): void {
    this.#handle.close((raw) => raw.close());
  }

  /** For the wrappers beside this file. */
  raw(verb: string): RawProgram {
    return this.#handle.use(verb);
  }
}

function checkInput(input: TestRunInput): void {
  for (const bytes of [input.data, input.context]) {
    if (bytes !== undefined && !(bytes instanceof Uint8Array)) {
      throw new BpfError('EINVAL', 'program.testRun', 'data and context are Uint8Arrays');
    }
  }
  for (const count of [input.outputSize, input.repeat]) {
    if (count !== undefined && !(Number.isInteger(count) && count >= 0 && count <= 0x7fffffff)) {
      throw new BpfError('EINVAL', 'program.testRun', 'outputSize and repeat are whole numbers from 0');
    }
  }
}
