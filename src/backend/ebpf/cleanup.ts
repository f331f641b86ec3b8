// Removes exactly what is ours: the host's port, hooks, tables, pins, the FORWARD chain. What is not there is no fault.
import { join } from 'node:path';
import { removeForwardRule } from './forward-rule.ts';
import { detachAllClsact, detachPinned } from './hooks.ts';
import { removeHostPort } from './host-port.ts';
import { pinFolders, pinNames, removePinFolder, removePinRoot } from './pins.ts';

/** bpffs: null when none is mounted, so nothing can be pinned. */
export async function cleanupEbpf(bpffs: string | null): Promise<void> {
  await removeHostPort(); // first: without programs it would lead packets nowhere
  if (bpffs !== null) {
    for (const folder of pinFolders(bpffs)) {
      for (const name of pinNames(folder.links)) detachPinned(join(folder.links, name));
      removePinFolder(folder);
    }
    removePinRoot(bpffs);
  }
  detachAllClsact();
  await removeForwardRule();
}
