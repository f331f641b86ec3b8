import { LB_AFFINITY_SIZE, readAffinity, writeAffinity } from '../../src/datapath/layout.gen.ts';
import type { Datapath } from './datapath.ts';

/** As if this much time had gone by since every client's last connection. */
export function ageAffinity(datapath: Datapath, seconds: number): void {
  const map = datapath.map('affinity');
  for (const key of map.keys()) {
    const row = readAffinity(map.get(key)!);
    const value = new Uint8Array(LB_AFFINITY_SIZE);
    // Not for more time than the machine is up: the clock would go below zero.
    const lastUsedNs = row.lastUsedNs - BigInt(seconds) * 1_000_000_000n;
    writeAffinity(value, 0, { ...row, lastUsedNs: BigInt.asUintN(64, lastUsedNs) });
    map.set(key, value);
  }
}
