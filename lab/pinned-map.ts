// A table of a running node, without a process.
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { BpfMap } from '../src/native/bpf-map.ts';

/** The only node of this bpffs. */
export function withPinnedMap<T>(bpffs: string, name: string, use: (map: BpfMap) => T): T {
  const [path, ...others] = globSync(join(bpffs, 'turnout/*/*/maps', name));
  if (path === undefined || others.length > 0) throw new Error(`${others.length + (path ? 1 : 0)} maps ${name} in ${bpffs}`);
  const map = BpfMap.openPinned(path);
  try {
    return use(map);
  } finally {
    map.close();
  }
}
