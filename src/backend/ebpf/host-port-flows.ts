// Which frontends the node's open connections through its own port have, read from the flow table.
import { addressText } from '../../datapath/address.ts';
import { viewOf } from '../../datapath/bytes.ts';
import { FlowFlag, LB_FLOW_STATE_SIZE, readFlowState } from '../../datapath/layout.gen.ts';
import type { BpfMap } from '../../native/bpf-map.ts';
import { ipFamilyOf } from '../../state/ip.ts';
import { fieldOffsets } from './field-copy.ts';
import { BUSY } from './flow-states.ts';
import { isAlias } from './host-aliases.ts';
import { needName } from './host-port-needs.ts';

const ADDRESS_OCTETS = 16;
const UDP = 17;
const BOTH_FINS = FlowFlag.LB_FLOW_CLIENT_FIN | FlowFlag.LB_FLOW_BACKEND_FIN;

/** As flow.h has it. A UDP flow ends with its Service. */
function isOpen({ protocol, flags }: { readonly protocol: number; readonly flags: number }): boolean {
  if (protocol === UDP || !(flags & FlowFlag.LB_FLOW_ESTABLISHED)) return false;
  return !(flags & FlowFlag.LB_FLOW_RESET) && (flags & BOTH_FINS) !== BOTH_FINS;
}

/**
 * Names of needs (needName), of single ports and of whole addresses. Looks at every row, so it is for changes that take a frontend
 * away, not for each change.
 */
export function frontendsInUse(states: BpfMap): Set<string> {
  const rows = states.mmap();
  const view = viewOf(rows);
  const offsets = fieldOffsets(states.describe().value);
  const [claimAt = 0, clientAt = 0] = [offsets.get('claim'), offsets.get('client')];
  const found = new Set<string>();
  for (let at = 0; at < rows.length; at += LB_FLOW_STATE_SIZE) {
    const claim = view.getUint32(at + claimAt, true);
    if (claim === 0 || claim === BUSY) continue;
    if (!isAlias(addressText(rows.subarray(at + clientAt, at + clientAt + ADDRESS_OCTETS)))) continue;
    const flow = readFlowState(rows, at);
    if (!isOpen(flow)) continue;
    const destination = addressText(flow.frontend);
    const family = ipFamilyOf(destination);
    found.add(needName({ family, destination, protocol: flow.protocol, port: flow.frontendPort }));
    found.add(needName({ family, destination, protocol: 0, port: 0 }));
  }
  return found;
}
