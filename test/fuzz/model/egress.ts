// What must become of a packet that leaves: design.md section 1, rules 3, 4, 5, 9 and 10.
import { Flow, keyOf } from './flows.ts';
import { follow } from './follow.ts';
import { accepts, type Headers, opens, PROTOCOL, readHeaders, word } from './headers.ts';
import { isRedirectAboutFlow, translatedError } from './icmp.ts';
import type { Passage, Prediction } from './prediction.ts';
import { rewritten } from './rewrite.ts';
import type { ModelState } from './state.ts';

/** So many ports are tried before a flow is given up. */
const PROBES = 16;
/** kube-apiserver's default --service-node-port-range. */
const NODE_PORT_MIN = 30000;
const NODE_PORT_MAX = 32767;

export function egress(state: ModelState, passage: Passage): Prediction {
  const headers = readHeaders(passage.frame);
  if (!headers || headers.isCut) return passage.pass('no whole TCP, UDP, SCTP or ICMP header');
  if (headers.protocol === PROTOCOL.icmp || headers.protocol === PROTOCOL.icmpv6) return egressIcmp(state, passage, headers);
  if (headers.piece === 'later' && !state.fragments.fill(headers, 'out'))
    return passage.pass('a fragment whose first has not come');
  const match = state.flows.find(keyOf('out', headers.protocol, headers));
  if (headers.piece === 'first' && match) state.fragments.note(headers, 'out');
  if (!match) return beside(state, passage, headers);
  passage.isMatched = true;
  const { flow, role } = match;
  return role === 'answer' ? answer(state, passage, headers, flow) : forward(state, passage, headers, flow);
}

function egressIcmp({ flows }: ModelState, passage: Passage, headers: Headers): Prediction {
  if (headers.piece !== 'whole') return passage.pass('ICMP in fragments');
  if (isRedirectAboutFlow(passage.frame, headers, flows)) {
    passage.isMatched = true;
    return passage.drop('icmp_redirect', 'a redirect about a flow');
  }
  const translation = translatedError(passage.frame, headers, 'out', flows);
  if (!translation) return passage.pass('ICMP about no flow');
  passage.isMatched = true;
  passage.because(`an error about the ${translation.match.role} of a flow, turned around`);
  passage.counted.push('icmp_translated');
  return passage.go(translation.octets, 'ICMP translated');
}

/** The backend's packet comes from the Service. A consent after the end is about a connection that the client made by itself. */
function answer({ flows }: ModelState, passage: Passage, headers: Headers, flow: Flow): Prediction {
  if (flow.isClosed && accepts(headers)) {
    flows.release(flow);
    passage.also.push('port free again');
    return passage.pass('the answer to a connection beside a Service that is over');
  }
  passage.because('an answer of a flow');
  follow(flow, headers, true);
  const ends = { address: flow.frontend, sourcePort: flow.frontendPort, destinationPort: flow.clientPort };
  return passage.go(rewritten(passage.frame, headers, 'out', ends), 'reply');
}

/** Rule 6: a connection of the node whose answers would be taken for packets of a flow leaves by another port. */
function beside(state: ModelState, passage: Passage, headers: Headers): Prediction {
  const { flows } = state;
  const { source, sourcePort, destination, destinationPort, protocol, isV4 } = headers;
  const answer = { source: destination, sourcePort: destinationPort, destination: source, destinationPort: sourcePort };
  const isGuarded = state.isInSnatRange(sourcePort) || (sourcePort >= NODE_PORT_MIN && sourcePort <= NODE_PORT_MAX);
  const other = opens(headers) && isGuarded ? flows.find(keyOf('in', protocol, answer)) : null;
  if (!other || other.role === 'steer' || other.flow.isClosed) return passage.pass('of no flow');
  passage.isMatched = true;
  const backend = { address: destination, port: destinationPort, hasLeft: false };
  const flow = new Flow(headers, { isV4, protocol, backend, stackPort: sourcePort, isMasqueraded: true, isGuard: true });
  const refusal = resolve(state, passage, headers, flow);
  if (refusal) return refusal;
  flows.add(flow);
  flows.claim(flow, 'forward', flow.tuple('forward')!);
  passage.counted.push('flow_guarded');
  return { ...forward(state, passage, headers, flow), outcome: 'guarded' };
}

/** A masqueraded request comes from us. */
function forward(state: ModelState, passage: Passage, headers: Headers, flow: Flow): Prediction {
  passage.because('a masqueraded request');
  const isFirst = flow.source === null;
  const refusal = isFirst ? resolve(state, passage, headers, flow) : null;
  if (refusal) return refusal;
  const ends = { address: flow.source!, sourcePort: flow.sourcePort, destinationPort: flow.backend.port };
  if (flow.isGuard) follow(flow, headers, false); // it did not come in by a device
  // The mark has done its work in FORWARD.
  const mark = (passage.mark & ~state.node.masqueradeMark) >>> 0;
  return passage.go(rewritten(passage.frame, headers, 'out', ends), isFirst ? 'masqueraded first' : 'masqueraded', mark);
}

/** Rule 3: the device's address, and a port by which the answer is told from all others. Null: done. */
function resolve(state: ModelState, passage: Passage, headers: Headers, flow: Flow): Prediction | null {
  const { node, device, flows } = state;
  const source = flow.isGuard ? flow.client : flow.isV4 ? device.sourceV4 : device.sourceV6;
  if (source === null) return passage.drop('no_source', 'the device has no address to masquerade with');
  const answerTo = (port: number) => ({
    ...{ source: flow.backend.address, sourcePort: flow.backend.port, destination: source, destinationPort: port },
  });
  const isFree = (port: number): boolean => flows.isFree(keyOf('in', flow.protocol, answerTo(port)));
  // The client keeps its port where it is ours to give.
  const isKept = !flow.isGuard && state.isInSnatRange(flow.clientPort) && isFree(flow.clientPort);
  const port = isKept ? flow.clientPort : chosenPort(passage, headers);
  if (port === null) {
    let taken = 0;
    for (let one = node.snatPortMin; one <= node.snatPortMax; one++) if (!isFree(one)) taken++;
    if (taken >= PROBES) return passage.drop('snat_exhausted', `${taken} ports are taken`);
    return passage.drop('nothing', `there are free ports, only ${taken} are taken`);
  }
  if (!state.isInSnatRange(port) || !isFree(port)) return passage.drop('nothing', `${port} is no free port of the range`);
  flow.source = source;
  flow.sourcePort = port;
  flows.claim(flow, 'return', answerTo(port));
  passage.counted.push('snat_allocated');
  passage.because(`port ${port}`);
  return null;
}

/** Which port the datapath has taken; null: none. */
function chosenPort({ observed }: Passage, headers: Headers): number | null {
  if (observed.verdict === 'next' && headers.piece !== 'later' && observed.packet.length >= headers.l4 + 2) {
    return word(observed.packet, headers.l4);
  }
  // A port of zero: the entry waits for its source still.
  const entry = observed.entry('out', headers);
  return entry && entry.sourcePort > 0 ? entry.sourcePort : null;
}
