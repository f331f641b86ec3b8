// The table of flows, read through its mapping: no system call, whatever the number of rows. Programs write it meanwhile.
import { viewOf } from '../../datapath/bytes.ts';
import { counterAt, fieldOffset, fieldWord, wordAt, wordsOf } from '../../datapath/field-words.ts';
import { FlowFlag, type FlowState, LB_FLOW_STATE_SIZE } from '../../datapath/layout.gen.ts';
import type { BpfMap } from '../../native/bpf-map.ts';
import { BUSY } from './flow-states.ts';

const STEP = LB_FLOW_STATE_SIZE / 4;
const CLAIM = fieldWord('flow_states', 'claim');
const SERVICE_ID = fieldWord('flow_states', 'service_id');
const BACKEND_ID = fieldWord('flow_states', 'backend_id');
const FLAGS = fieldWord('flow_states', 'flags');
const GENERATION = fieldWord('flow_states', 'backend_generation');
const REQUEST_PACKETS = fieldWord('flow_states', 'request_packets');

/** What live flows add to the counters of their Service and endpoint. */
export interface FlowCounts {
  readonly serviceId: number;
  readonly backendId: number;
  readonly backendGeneration: number;
  readonly isClosed: boolean;
  /** request_packets, request_bytes, reply_packets, reply_bytes; valid until the next flow. */
  readonly counters: Float64Array;
}

const BOTH_FINS = FlowFlag.LB_FLOW_CLIENT_FIN | FlowFlag.LB_FLOW_BACKEND_FIN;

/** As flow_is_closed() of bpf/flow.h: the flow has ended and its row is kept for packets that are late. */
export const isClosed = (flags: number): boolean => (flags & FlowFlag.LB_FLOW_RESET) !== 0 || (flags & BOTH_FINS) === BOTH_FINS;

const offset = (field: string): number => fieldOffset('flow_states', field);
const AT = {
  lastSeen: offset('last_seen_ns'),
  started: offset('started_ns'),
  client: offset('client'),
  frontend: offset('frontend'),
  backend: offset('backend'),
  source: offset('source'),
  clientPort: offset('client_port'),
  frontendPort: offset('frontend_port'),
  backendPort: offset('backend_port'),
  sourcePort: offset('source_port'),
  stackPort: offset('stack_port'),
  protocol: offset('protocol'),
} as const;

/** As readFlowState(), but for a copy that is ours: a hundred thousand flows make four times as many arrays otherwise. */
function flowAt(copy: Uint8Array, view: DataView, at: number, claim: number): FlowState {
  const address = (field: number): Uint8Array => copy.subarray(at + field, at + field + 16);
  const counter = (index: number): bigint => view.getBigUint64(at + 4 * REQUEST_PACKETS + 8 * index, true);
  return {
    lastSeenNs: view.getBigUint64(at + AT.lastSeen, true),
    claim,
    flags: view.getUint32(at + 4 * FLAGS, true),
    serviceId: view.getUint32(at + 4 * SERVICE_ID, true),
    backendId: view.getUint32(at + 4 * BACKEND_ID, true),
    backendGeneration: view.getUint32(at + 4 * GENERATION, true),
    requestPackets: counter(0),
    requestBytes: counter(1),
    replyPackets: counter(2),
    replyBytes: counter(3),
    startedNs: view.getBigUint64(at + AT.started, true),
    client: address(AT.client),
    frontend: address(AT.frontend),
    backend: address(AT.backend),
    source: address(AT.source),
    clientPort: view.getUint16(at + AT.clientPort, false),
    frontendPort: view.getUint16(at + AT.frontendPort, false),
    backendPort: view.getUint16(at + AT.backendPort, false),
    sourcePort: view.getUint16(at + AT.sourcePort, false),
    stackPort: view.getUint16(at + AT.stackPort, false),
    protocol: view.getUint8(at + AT.protocol),
  };
}

/** How many rows are in use, and how many of those were never answered. */
export function countFlows(states: Pick<BpfMap, 'mmap' | 'maxEntries'>): { readonly all: number; readonly unreplied: number } {
  const words = wordsOf(states.mmap());
  let [all, unreplied] = [0, 0];
  for (let at = 0; at < states.maxEntries * STEP; at += STEP) {
    if (wordAt(words, at + CLAIM) === 0) continue;
    all++;
    if (!(wordAt(words, at + FLAGS) & FlowFlag.LB_FLOW_REPLIED)) unreplied++;
  }
  return { all, unreplied };
}

export class LiveFlows {
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  readonly #rows: number;

  constructor(states: BpfMap) {
    this.#bytes = states.mmap();
    this.#words = wordsOf(this.#bytes);
    this.#rows = states.maxEntries;
  }

  /**
   * Every flow that is there. The table is copied as a whole; a row is one flow's when its claim is the same before and after: claims
   * are never the same twice in a row. The addresses of a flow are views of the copy.
   */
  *flows(): Generator<FlowState> {
    const claims = Uint32Array.from({ length: this.#rows }, (_, row) => this.#claim(row));
    const copy = this.#bytes.slice();
    const view = viewOf(copy);
    for (const [row, claim] of claims.entries()) {
      if (claim !== 0 && claim !== BUSY && this.#claim(row) === claim) yield flowAt(copy, view, row * LB_FLOW_STATE_SIZE, claim);
    }
  }

  /** The counters of every flow that is there, without copying its row. */
  eachCounts(visit: (counts: FlowCounts) => void): void {
    const words = this.#words;
    const counters = new Float64Array(4);
    const counts = { serviceId: 0, backendId: 0, backendGeneration: 0, isClosed: false, counters };
    for (let row = 0; row < this.#rows; row++) {
      const at = row * STEP;
      const claim = wordAt(words, at + CLAIM);
      if (claim === 0 || claim === BUSY) continue;
      counts.serviceId = wordAt(words, at + SERVICE_ID);
      counts.backendId = wordAt(words, at + BACKEND_ID);
      counts.backendGeneration = wordAt(words, at + GENERATION);
      counts.isClosed = isClosed(wordAt(words, at + FLAGS));
      for (let i = 0; i < 4; i++) counters[i] = counterAt(words, at + REQUEST_PACKETS + 2 * i);
      if (wordAt(words, at + CLAIM) === claim) visit(counts);
    }
  }

  #claim(row: number): number {
    return wordAt(this.#words, row * STEP + CLAIM);
  }
}
