// What a node counted.
import type { ClusterNode } from '../../lab/cluster.ts';
import { withPinnedMap } from '../../lab/pinned-map.ts';
import { readCounters } from '../../src/backend/ebpf/counters.ts';

export const countersOf = ({ turnout }: ClusterNode): Record<string, number> =>
  withPinnedMap(turnout.bpffs, 'counters', (map) => {
    const { events, drops } = readCounters(map);
    return { ...events, ...drops };
  });

/** What a node counts meanwhile, by name; what did not change is left out. */
export async function counted(node: ClusterNode, during: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = countersOf(node);
  await during();
  const after = Object.entries(countersOf(node)).map(([name, count]) => [name, count - (before[name] ?? 0)] as const);
  return Object.fromEntries(after.filter(([, count]) => count !== 0));
}
