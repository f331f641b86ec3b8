// A running node's flows, read and damaged from outside.
import {
  type FlowKey,
  type FlowState,
  LB_FLOW_STATE_SIZE,
  readFlowKey,
  readFlowState,
  writeFlowState,
} from '../src/datapath/layout.gen.ts';
import { withPinnedMap } from './pinned-map.ts';

/** All flows are forgotten. Rows of flow_states go first: without them what `flows` has counts as absent. */
export function forgetFlows(bpffs: string): void {
  withPinnedMap(bpffs, 'flow_states', (map) => map.mmap().fill(0));
  deleteEntries(bpffs, () => true);
}

export function flowStates(bpffs: string): FlowState[] {
  return withPinnedMap(bpffs, 'flow_states', (map) => {
    const rows = map.mmap();
    const states = Array.from({ length: map.maxEntries }, (_, row) => readFlowState(rows, row * LB_FLOW_STATE_SIZE));
    return states.filter(({ claim }) => claim !== 0);
  });
}

/** Removes rewrite entries; returns how many. */
export function deleteEntries(bpffs: string, isWanted: (key: FlowKey) => boolean): number {
  return withPinnedMap(bpffs, 'flows', (map) => {
    const keys = map.keys().filter((key) => isWanted(readFlowKey(key, 0)));
    return keys.filter((key) => map.delete(key)).length;
  });
}

/** As if no flow had had a packet for this long. */
export function ageFlows(bpffs: string, seconds: number): void {
  withPinnedMap(bpffs, 'flow_states', (map) => {
    const rows = map.mmap();
    for (let at = 0; at < map.maxEntries * LB_FLOW_STATE_SIZE; at += LB_FLOW_STATE_SIZE) {
      const state = readFlowState(rows, at);
      const lastSeenNs = state.lastSeenNs - BigInt(seconds) * 1_000_000_000n;
      if (state.claim !== 0) writeFlowState(rows, at, { ...state, lastSeenNs });
    }
  });
}
