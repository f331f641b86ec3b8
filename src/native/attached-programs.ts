import type { AttachedProgram } from './addon.ts';
import { addon } from './load-addon.ts';

/** The tcx programs of a device in the order in which they run; none on kernels without tcx. */
export function listTcxPrograms(ifindex: number, direction: 'ingress' | 'egress'): AttachedProgram[] {
  return addon().listTcxPrograms(ifindex, direction === 'ingress');
}
