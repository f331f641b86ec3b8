// `excluded_cgroups` as it should be.
import { u32Bytes, u64Bytes, viewOf } from '../../datapath/bytes.ts';
import type { BpfMap } from '../../native/bpf-map.ts';
import { keyBytes, keyText } from './service-tables.ts';
import { hashTable, type VerifiedTable } from './verified-table.ts';

const PRESENT = u32Bytes(1);

/** ids: of the cgroups, with their paths; changes as they come and go. */
export function verifiedCgroups(map: BpfMap, ids: ReadonlyMap<bigint, string>): VerifiedTable {
  const idOf = (key: string): bigint => viewOf(keyBytes(key)).getBigUint64(0, true);
  const table = hashTable({
    map,
    *rows() {
      for (const id of ids.keys()) yield { key: keyText(u64Bytes(id)), value: PRESENT };
    },
    expected: (key) => (ids.has(idOf(key)) ? PRESENT : null),
    isSame: () => true, // a row's presence is all it says
    describe: (key) => `cgroup ${idOf(key)} ${ids.get(idOf(key)) ?? ''}`.trim(),
    show: () => 'present',
  });
  return { ...table, name: 'excluded_cgroups' }; // the kernel's name for it is cut
}
