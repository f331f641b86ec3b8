// Flows of a PacketKernel: made as connections are, and looked at in flow_states.
import { BUSY, FlowStates } from '../src/backend/ebpf/flow-states.ts';
import { FlowFlag, type FlowState, LB_FLOW_STATE_SIZE, readFlowState } from '../src/datapath/layout.gen.ts';
import { Outcome, type PacketKernel } from './packet-kernel.ts';

export const SYN = 2;
export const ACK = 16;

/** SYN, SYN and ACK from the backend, ACK: flows from `first` on. '' or why they are not all there. */
export function establish(kernel: PacketKernel, flows: number, first = 0): string {
  const common = { hooks: 2, flows, firstFlow: first, inOrder: true } as const;
  kernel.send(flows, { ...common, tcpFlags: SYN, record: true });
  kernel.send(flows, { ...common, tcpFlags: SYN | ACK, fromBackend: true });
  const { outcomes } = kernel.send(flows, { ...common, tcpFlags: ACK });
  const refused = Object.entries(outcomes).reduce((sum, [outcome, n]) => sum + (Number(outcome) & Outcome.NOT_PASSED ? n : 0), 0);
  return refused > 0 ? `${refused} of ${flows} flows were refused at the start; ${kernel.refusals()}` : '';
}

const BATCH = 256; // few beside those that are there, so that hardly one takes another's place before it is answered
const TRIES = 20;

/** As establish(), also in a table that is nearly full: what found no room is tried again. */
export function fillWithEstablished(kernel: PacketKernel, flows: number): string {
  for (let first = 0; first < flows; first += BATCH) {
    let refused = 'not tried';
    for (let tries = 0; refused && tries < TRIES; tries++) refused = establish(kernel, Math.min(BATCH, flows - first), first);
    if (refused) return refused;
  }
  return '';
}

/** Live flows by their row. */
export function liveFlows(kernel: PacketKernel): Map<number, FlowState> {
  const states = kernel.map('flow_states');
  const rows = states.mmap();
  const claims = new FlowStates(states);
  const live = new Map<number, FlowState>();
  for (let row = 0; row < states.maxEntries; row++) {
    const claim = claims.claim(row);
    if (claim !== 0 && claim !== BUSY) live.set(row, readFlowState(rows, row * LB_FLOW_STATE_SIZE));
  }
  return live;
}

export const isEstablished = ({ flags }: FlowState): boolean => (flags & FlowFlag.LB_FLOW_ESTABLISHED) !== 0;

/** How many established flows of `before` are not there any more, or are others now. */
export function lostFlows(before: ReadonlyMap<number, FlowState>, now: ReadonlyMap<number, FlowState>): number {
  return [...before].filter(([row, flow]) => isEstablished(flow) && now.get(row)?.claim !== flow.claim).length;
}
