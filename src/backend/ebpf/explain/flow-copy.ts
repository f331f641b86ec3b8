// Flows that exist, copied into the private tables where they matter for the packet in question. Only read where they are in force.
import { u32Bytes, viewOf } from '../../../datapath/bytes.ts';
import { fieldOffset } from '../../../datapath/field-words.ts';
import {
  Direction,
  FlowFlag,
  type FlowKey,
  type FlowState,
  LB_FLOW_KEY_SIZE,
  LB_FLOW_STATE_SIZE,
  LB_REWRITE_SIZE,
  readFlowState,
  readRewrite,
  writeFlowKey,
  writeRewrite,
} from '../../../datapath/layout.gen.ts';
import type { BpfMap } from '../../../native/bpf-map.ts';
import { BUSY } from '../flow-states.ts';

export interface FlowTables {
  readonly flows: BpfMap;
  readonly flowStates: BpfMap;
}

export function flowKeyBytes(key: FlowKey): Uint8Array {
  const bytes = new Uint8Array(LB_FLOW_KEY_SIZE);
  writeFlowKey(bytes, 0, key);
  return bytes;
}

/** The keys of a flow's entries, as flow.h makes them. */
export function flowKeysOf(state: FlowState): Uint8Array[] {
  const { protocol, client, clientPort, frontend, frontendPort, backend, backendPort, source, sourcePort, stackPort, flags } =
    state;
  const key = (direction: number, from: Uint8Array, fromPort: number, to: Uint8Array, toPort: number): Uint8Array =>
    flowKeyBytes({ source: from, destination: to, sourcePort: fromPort, destinationPort: toPort, protocol, direction });
  const { LB_IN, LB_OUT } = Direction;
  return [
    key(LB_IN, client, clientPort, frontend, frontendPort),
    key(LB_OUT, backend, backendPort, client, stackPort),
    ...(flags & FlowFlag.LB_FLOW_MASQUERADE ? [key(LB_OUT, client, stackPort, backend, backendPort)] : []),
    ...(flags & FlowFlag.LB_FLOW_SNAT ? [key(LB_IN, backend, backendPort, source, sourcePort)] : []),
    ...(flags & FlowFlag.LB_FLOW_STEERED ? [key(LB_IN, backend, backendPort, client, stackPort)] : []),
  ];
}

export class FlowCopy {
  readonly #from: FlowTables;
  readonly #to: FlowTables;
  readonly #copied = new Map<number, { readonly row: number; readonly state: Uint8Array }>(); // by the row it has in force

  constructor(from: FlowTables, to: FlowTables) {
    this.#from = from;
    this.#to = to;
  }

  /** Copies the live flow that owns this entry. Null when there is none, or when it was copied before. */
  take(key: Uint8Array): FlowState | null {
    const value = this.#from.flows.get(key);
    if (!value) return null;
    const { flowId, claim } = readRewrite(value);
    if (this.#copied.has(flowId)) return null;
    const state = this.#from.flowStates.get(u32Bytes(flowId));
    if (!state || readFlowState(state).claim !== claim || claim === BUSY) return null; // an entry that was left behind
    this.#copied.set(flowId, { row: this.#copied.size, state });
    this.#write(flowId);
    return readFlowState(state);
  }

  /** Puts back what was copied, after the private tables were emptied. */
  restore(): void {
    for (const flowId of this.#copied.keys()) this.#write(flowId);
  }

  /** Entries that programs have made in the private tables, of flows that were not copied. */
  made(): { readonly key: Uint8Array; readonly state: FlowState }[] {
    const { flows, flowStates } = this.#to;
    const copied = new Set([...this.#copied.values()].map(({ row }) => row));
    return flows.keys().flatMap((key) => {
      const value = flows.get(key);
      if (!value) return [];
      const { flowId, claim } = readRewrite(value);
      const state = readFlowState(flowStates.mmap(), flowId * LB_FLOW_STATE_SIZE);
      return state.claim === claim && !copied.has(flowId) ? [{ key, state }] : [];
    });
  }

  /** Whether programs ended a flow that was copied. */
  hasEnded(state: FlowState): boolean {
    const rows = this.#to.flowStates.mmap();
    return ![...this.#copied.values()].some(({ row }) => readFlowState(rows, row * LB_FLOW_STATE_SIZE).claim === state.claim);
  }

  #write(flowId: number): void {
    const copied = this.#copied.get(flowId);
    if (!copied) return;
    const { row, state } = copied;
    this.#to.flowStates.set(u32Bytes(row), state);
    const { claim } = readFlowState(state);
    for (const key of flowKeysOf(readFlowState(state))) {
      const value = this.#from.flows.get(key);
      if (!value || readRewrite(value).claim !== claim) continue;
      const entry = new Uint8Array(LB_REWRITE_SIZE);
      writeRewrite(entry, 0, { ...readRewrite(value), flowId: row });
      this.#to.flows.set(key, entry);
    }
  }
}

/** Live flows of a client to an address and port, whatever its own port; `most` of them at most. */
export function flowsOf(
  states: BpfMap,
  wanted: Pick<FlowState, 'client' | 'frontend' | 'frontendPort' | 'protocol'>,
  most: number,
): FlowState[] {
  const rows = states.mmap();
  const claimAt = fieldOffset('flow_states', 'claim');
  const view = viewOf(rows);
  const found: FlowState[] = [];
  for (let at = 0; at < rows.length && found.length < most; at += LB_FLOW_STATE_SIZE) {
    const claim = view.getUint32(at + claimAt, true);
    if (claim === 0 || claim === BUSY) continue;
    const state = readFlowState(rows, at);
    const isWanted =
      state.protocol === wanted.protocol &&
      state.frontendPort === wanted.frontendPort &&
      Buffer.compare(state.client, wanted.client) === 0 &&
      Buffer.compare(state.frontend, wanted.frontend) === 0;
    if (isWanted) found.push(state);
  }
  return found;
}
