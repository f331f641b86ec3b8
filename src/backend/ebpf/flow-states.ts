// Rows of flow_states that a migration finds in the new table, seen while programs use them.
import { viewOf } from '../../datapath/bytes.ts';
import { FlowFlag, type FlowState, LB_FLOW_STATE_SIZE, readFlowState } from '../../datapath/layout.gen.ts';
import type { BpfMap } from '../../native/bpf-map.ts';
import { fieldOffsets } from './field-copy.ts';

/** FLOW_BUSY of flow.h: a row that is being filled or emptied. */
export const BUSY = 0xffffffff;

/** One flow, whatever its row. */
export const flowName = ({ claim, client, clientPort, frontend, frontendPort }: FlowState): string =>
  `${claim} ${Buffer.concat([client, frontend]).toString('latin1')} ${clientPort} ${frontendPort}`;

export class FlowStates {
  readonly #rows: Uint8Array;
  readonly #view: DataView;
  readonly #offsets: ReadonlyMap<string, number>;

  constructor(states: BpfMap) {
    this.#rows = states.mmap();
    this.#view = viewOf(this.#rows);
    this.#offsets = fieldOffsets(states.describe().value);
  }

  claim(row: number): number {
    return this.#view.getUint32(this.#at(row, 'claim'), true);
  }

  /** Rows of the flows that are there, by flowName. */
  known(): Map<string, number> {
    const known = new Map<string, number>();
    for (let row = 0; row < this.#rows.length / LB_FLOW_STATE_SIZE; row++) {
      const claim = this.claim(row);
      if (claim !== 0 && claim !== BUSY) known.set(flowName(readFlowState(this.#rows, row * LB_FLOW_STATE_SIZE)), row);
    }
    return known;
  }

  /**
   * What the old programs saw of a flow after it was copied: else one that was set up meanwhile would be forgotten as half
   * open, and one that was closed be kept as established. Field by field, since programs may be at work on the same row.
   */
  catchUp(row: number, old: FlowState): void {
    const copied = readFlowState(this.#rows, row * LB_FLOW_STATE_SIZE);
    if (copied.claim !== old.claim) return; // ended since
    if (old.flags & ~copied.flags & FlowFlag.LB_FLOW_SNAT) {
      this.#rows.set(old.source, this.#at(row, 'source'));
      this.#view.setUint16(this.#at(row, 'source_port'), old.sourcePort, false);
    }
    const flags = (copied.flags | old.flags) >>> 0;
    if (flags !== copied.flags) this.#view.setUint32(this.#at(row, 'flags'), flags, true);
    if (old.lastSeenNs > copied.lastSeenNs) this.#view.setBigUint64(this.#at(row, 'last_seen_ns'), old.lastSeenNs, true);
  }

  #at(row: number, field: string): number {
    return row * LB_FLOW_STATE_SIZE + (this.#offsets.get(field) ?? 0);
  }
}
