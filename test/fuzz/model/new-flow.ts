// The first packet of a connection: which backend, and by which client port the stack knows it.
import { addressAt } from './address.ts';
import { Flow, keyOf } from './flows.ts';
import { type Headers, word } from './headers.ts';
import type { Passage, Prediction } from './prediction.ts';
import { addressField, type Ends, rewritten } from './rewrite.ts';
import type { Backend, Candidates, Frontend } from './services.ts';
import type { ModelState } from './state.ts';

/** Address and ports that the datapath chose: from the packet, or from its table when the packet does not show them. */
function chosenEnds(passage: Passage, headers: Headers): Ends | null {
  const { observed } = passage;
  const { isV4, l4, piece } = headers;
  if (observed.verdict !== 'next' || piece === 'later') return observed.entry('in', headers);
  if (observed.packet.length < l4 + 4) return null;
  return {
    address: addressAt(observed.packet, addressField(isV4, 'destination'), isV4),
    sourcePort: word(observed.packet, l4),
    destinationPort: word(observed.packet, l4 + 2),
  };
}

interface Plan {
  readonly backend: Backend;
  readonly isMasqueraded: boolean;
  readonly isSteered: boolean;
  /** Can the flow be told from all others, with this client port between the hooks (rule 5)? */
  readonly isFree: (stackPort: number) => boolean;
}

function planFor({ device, flows }: ModelState, headers: Headers, backend: Backend, asksMasquerade: boolean): Plan {
  const { source: client, protocol } = headers;
  const isMasqueraded = asksMasquerade || backend.address === client; // hairpin: the pod would answer itself
  const isFree = (stackPort: number): boolean => {
    const answer = { source: backend.address, sourcePort: backend.port, destination: client, destinationPort: stackPort };
    const key = keyOf('out', protocol, answer);
    if (!flows.isFree(key)) return false;
    if (!isMasqueraded) return true;
    // Its requests leave by egress too: they must be nobody's answers, nor its own.
    const forward = { source: client, sourcePort: stackPort, destination: backend.address, destinationPort: backend.port };
    const forwardKey = keyOf('out', protocol, forward);
    return forwardKey !== key && flows.isFree(forwardKey);
  };
  return { backend, isMasqueraded, isSteered: device.bridgeMac !== null && !isMasqueraded, isFree };
}

export function beginFlow(
  state: ModelState,
  passage: Passage,
  headers: Headers,
  frontend: Frontend,
  candidates: Candidates,
): Prediction {
  const { flows, services } = state;
  const { protocol, isV4, source: client } = headers;
  const chosen = chosenEnds(passage, headers);
  const remembered = services.remembered(frontend, client, candidates);
  const backend =
    remembered !== 'any'
      ? remembered
      : candidates.list.find(({ address, port }) => address === chosen?.address && port === chosen.destinationPort);
  if (!backend || chosen === null) {
    // Nothing was made: for one of those who may have been chosen there must have been no room.
    services.remember(frontend, client, remembered === 'any' ? null : remembered);
    const those = remembered === 'any' ? candidates.list : [remembered];
    const plans = those.map((one) => planFor(state, headers, one, candidates.isMasqueraded));
    if (plans.some(({ isFree }) => !isFree(headers.sourcePort) && hasTakenPort(state, isFree))) {
      return passage.drop('port_collision', 'this client port and the others that were tried reach the backend already (rule 5)');
    }
    return passage.drop('nothing', `expected one of ${those.length} backends`);
  }
  services.remember(frontend, client, backend);
  const plan = planFor(state, headers, backend, candidates.isMasqueraded);
  const hasOwnPort = plan.isFree(headers.sourcePort);
  const stackPort = hasOwnPort ? headers.sourcePort : chosen.sourcePort;
  if (!hasOwnPort) {
    if (!state.isInSnatRange(stackPort) || !plan.isFree(stackPort)) {
      return passage.drop('nothing', `client port ${stackPort} is no free one of the SNAT range (rule 5)`);
    }
    passage.also.push('moved to another port');
  }
  const flow = new Flow(headers, { isV4, protocol, backend, stackPort, isMasqueraded: plan.isMasqueraded });
  flows.add(flow);
  flows.claim(flow, 'answer', flow.tuple('answer')!);
  if (plan.isMasqueraded) flows.claim(flow, 'forward', flow.tuple('forward')!);
  if (plan.isSteered) flows.claim(flow, 'steer', flow.tuple('steer')!);
  flows.claim(flow, 'request', flow.tuple('request')!);
  passage.counted.push('flow_new');
  passage.because(`a new flow to ${backend.port}${flow.isMasqueraded ? ', masqueraded' : ''}`);
  return requestOf(state, passage, headers, flow, 'new flow');
}

/** Is there a port in the range that is not free? Then a few tries may all have met such. */
function hasTakenPort({ node }: ModelState, isFree: (port: number) => boolean): boolean {
  for (let port = node.snatPortMin; port <= node.snatPortMax; port++) if (!isFree(port)) return true;
  return false;
}

/** A request goes to its backend; masqueraded ones are marked, so that FORWARD lets them pass (rule 11). */
export function requestOf(state: ModelState, passage: Passage, headers: Headers, flow: Flow, outcome: string): Prediction {
  const { backend, stackPort, isMasqueraded } = flow;
  const ends = { address: backend.address, sourcePort: stackPort, destinationPort: backend.port };
  const mark = isMasqueraded ? (passage.mark | state.node.masqueradeMark) >>> 0 : passage.mark;
  return passage.go(rewritten(passage.frame, headers, 'in', ends), outcome, mark);
}
