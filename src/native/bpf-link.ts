import type { AttachPoint, LinkInfo } from './addon.ts';
import { BpfError } from './bpf-error.ts';
import type { BpfProgram } from './bpf-program.ts';
import { Handle } from './handle.ts';
import { addon, type RawLink, type RawProgram, type RawTcFilter } from './load-addon.ts';
import { requireBpffs, unpin } from './system.ts';

type ClsactPoint = Extract<AttachPoint, { kind: 'clsact' }>;
type Attachment = { kind: 'link'; raw: RawLink } | { kind: 'filter'; raw: RawTcFilter };

/**
 * A program attached somewhere. A kernel link (tcx, cgroup, XDP) stays attached for as long as this handle or a pin holds it.
 * A clsact filter is no kernel link: it stays until detach(), also without a pin (pin throws ENOTSUP), and is found again by
 * openClsact.
 */
export class BpfLink {
  readonly #handle: Handle<Attachment>;
  #pinPath: string | null;

  private constructor(attachment: Attachment, pinPath: string | null) {
    this.#handle = new Handle('link', attachment);
    this.#pinPath = pinPath;
  }

  /** For BpfProgram. */
  static attach(program: RawProgram, point: AttachPoint): BpfLink {
    if (point.kind !== 'clsact') return new BpfLink({ kind: 'link', raw: new (addon().Link)(program, point) }, null);
    checkClsact(point, 'program.attach');
    return new BpfLink({ kind: 'filter', raw: new (addon().TcFilter)(program, point) }, null);
  }

  /** Throws BpfError ENOENT when nothing is pinned there, ENOTBPFFS when there is no bpffs, EWRONGKIND when it is no link. */
  static openPinned(path: string): BpfLink {
    requireBpffs(path, 'link.openPinned');
    return new BpfLink({ kind: 'link', raw: new (addon().Link)(path) }, path);
  }

  /** A filter that is attached already, by its place. Throws BpfError ENOENT when there is none, ENODEV. */
  static openClsact(point: ClsactPoint): BpfLink {
    checkClsact(point, 'link.openClsact');
    return new BpfLink({ kind: 'filter', raw: new (addon().TcFilter)(null, point) }, null);
  }

  /** What the kernel says now. Of a clsact filter: id, type and cgroupId 0, attachType BPF_TCX_INGRESS or _EGRESS. */
  info(): LinkInfo {
    return this.#handle.use('info').raw.info();
  }

  /** Replaces the program at once: no packet sees neither of the two. */
  update(program: BpfProgram): void {
    this.#handle.use('update').raw.update(program.raw('attach'));
  }

  /** Keeps the link attached when this process is gone. Throws BpfError EEXIST, ENOTBPFFS, and ENOTSUP for clsact filters. */
  pin(path: string): void {
    const attachment = this.#handle.use('pin');
    if (attachment.kind === 'filter') {
      throw new BpfError('ENOTSUP', 'link.pin', 'a clsact filter cannot be pinned; it stays attached by itself');
    }
    requireBpffs(path, 'link.pin');
    attachment.raw.pin(path);
    this.#pinPath = path;
  }

  /** Removes the pin; the handle holds the link until close(). Throws BpfError ENOTPINNED. */
  unpin(): void {
    this.#handle.use('unpin');
    if (this.#pinPath === null) throw new BpfError('ENOTPINNED', 'link.unpin', 'the link is not pinned');
    unpin(this.#pinPath);
    this.#pinPath = null;
  }

  /** Detaches at once, whoever else holds the link. A pin of it stays as an empty shell: unpin() it too. */
  detach(): void {
    this.#handle.use('detach').raw.detach();
  }

  /** Twice is fine. An unpinned kernel link is detached by it; pinned links and clsact filters stay attached. */
  close(): void {
    this.#handle.close((attachment) => {
      if (attachment.kind === 'link') attachment.raw.close();
    });
  }
}

function checkClsact(point: ClsactPoint, operation: string): void {
  const isInRange = point.priority >= 1 && point.priority <= 0xffff && point.handle >= 1 && point.handle <= 0xffffffff;
  if (!isInRange) throw new BpfError('EINVAL', operation, 'a clsact filter needs a priority from 1 to 65535 and a handle from 1');
}
