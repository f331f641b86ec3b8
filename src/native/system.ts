// The machine round the maps: bpffs, pins as files, network namespace, CPUs, clock.

import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { BpfError } from './bpf-error.ts';
import { addon } from './load-addon.ts';

/** Mounts a bpffs on an existing directory; fine when one is there already. Throws BpfError: ENOENT, EPERM, ... */
export function mountBpffs(path: string): void {
  if (!isBpffs(path)) addon().mountBpffs(path);
}

/** Whether this existing path lies in a bpffs. False for missing paths. */
export function isBpffs(path: string): boolean {
  return existsSync(path) && addon().isBpffs(path);
}

/** Removes a pin. Throws BpfError ENOENT when there is none, ENOTBPFFS where it would remove an ordinary file. */
export function unpin(path: string): void {
  requireBpffs(path, 'unpin');
  addon().unlinkPin(path);
}

/** Throws ENOENT when the directory of a pin is missing, ENOTBPFFS when it is not in a bpffs (the kernel says EPERM or EINVAL). */
export function requireBpffs(pinPath: string, operation: string): void {
  const directory = dirname(pinPath);
  if (!existsSync(directory)) throw new BpfError('ENOENT', operation, `no such directory: ${directory}`, pinPath);
  if (addon().isBpffs(directory)) return;
  throw new BpfError('ENOTBPFFS', operation, `cannot pin in ${directory}`, pinPath);
}

/** Identity of the process's network namespace, as bpf_get_netns_cookie gives it. */
export function netnsCookie(): bigint {
  return addon().netnsCookie();
}

/** Slots of a row of a per-CPU map. */
export function possibleCpus(): number {
  return addon().possibleCpus();
}

/** Nanoseconds on the clock of bpf_ktime_get_ns. */
export function monotonicNs(): bigint {
  return addon().monotonicNs();
}

/** Whether the kernel shows its own BTF. */
export function btfOfKernel(): boolean {
  return existsSync('/sys/kernel/btf/vmlinux');
}
