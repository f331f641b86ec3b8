// What must become of a packet that comes in: design.md section 1, "Selection at the first packet" and rules 1, 2, 4, 7, 9, 10.
import { type Flow, keyOf } from './flows.ts';
import { follow } from './follow.ts';
import { type Headers, L2, opens, PROTOCOL, readHeaders } from './headers.ts';
import { translatedError } from './icmp.ts';
import { beginFlow, requestOf } from './new-flow.ts';
import type { Passage, Prediction } from './prediction.ts';
import { portUnreachable } from './refusal.ts';
import { rewritten } from './rewrite.ts';
import type { Frontend } from './services.ts';
import type { ModelState } from './state.ts';

export function ingress(state: ModelState, passage: Passage): Prediction {
  const { frame } = passage;
  const headers = readHeaders(frame);
  if (!headers) return passage.pass('no whole TCP, UDP, SCTP or ICMP header');
  if (headers.protocol === PROTOCOL.icmp || headers.protocol === PROTOCOL.icmpv6) return ingressIcmp(state, passage, headers);
  const fragment = headers.piece === 'whole' ? null : ingressFragment(state, passage, headers);
  if (fragment) return fragment;
  const match = state.flows.find(keyOf('in', headers.protocol, headers));
  if (match) {
    passage.isMatched = true;
    const { flow, role } = match;
    if (role === 'steer') return steer(state, passage);
    if (!state.isOurs(frame)) return passage.pass('of a flow, but for another station');
    if (role === 'return') {
      passage.because('an answer to our source goes back to the client');
      if (flow.isGuard) follow(flow, headers, true); // nobody else sees it
      const ends = { address: flow.client, sourcePort: flow.backend.port, destinationPort: flow.stackPort };
      return passage.go(rewritten(frame, headers, 'in', ends), 'reply to our source');
    }
    if (!beginsAnew(flow, headers, passage)) {
      passage.because('a request of a flow');
      follow(flow, headers, false);
      return requestOf(state, passage, headers, flow, 'established');
    }
    state.flows.release(flow);
  }
  return withoutFlow(state, passage, headers);
}

/** Null: the ports are known, so it goes on like any packet. */
function ingressFragment(state: ModelState, passage: Passage, headers: Headers): Prediction | null {
  const { services, fragments, flows } = state;
  const { destination, piece, protocol } = headers;
  const isToUs = services.isOurs(destination) || services.isServiceAddress(destination);
  const isToService = isToUs && !services.isNodeAddress(destination);
  if (headers.isCut) {
    // No stack makes such (RFC 1858, RFC 7112). It and the rest of its datagram may be for the node, not for a Service.
    if (!state.isOurs(passage.frame)) return passage.pass('a first fragment without ports, for another station');
    if (isToService) return passage.drop('fragment', 'a first fragment to a Service, without ports');
  }
  if (piece === 'first') {
    const isKnown = isToUs || flows.find(keyOf('in', protocol, headers)) !== null;
    const released = isKnown ? fragments.note(headers, 'in') : 0;
    for (let i = 0; i < released; i++) passage.counted.push('fragment_released');
    if (released > 0) return again(passage, 'fragment released', `${released} have waited for it, all come once more`);
    return headers.isCut ? passage.pass('a first fragment without ports') : null;
  }
  if (fragments.fill(headers, 'in')) return null;
  const hasPorts = protocol === PROTOCOL.tcp || protocol === PROTOCOL.udp || protocol === PROTOCOL.sctp;
  if (!isToUs || !hasPorts || !state.isOurs(passage.frame)) return passage.pass('a fragment whose first has not come');
  passage.isMatched = true;
  const result = fragments.hold(headers, passage.frame.length - L2);
  if (result === 'lost') {
    return isToService
      ? passage.drop('fragment', 'too long to wait for its first')
      : passage.pass('too long to wait, to the node');
  }
  if (result === 'displaced') passage.counted.push('drop_fragment');
  passage.counted.push('fragment_held');
  return again(passage, 'fragment held', 'it waits for its first');
}

/** The packet ends here and comes again. */
function again(passage: Passage, outcome: string, reason: string): Prediction {
  passage.because(reason);
  return { verdict: 'drop', octets: null, mark: passage.mark, outcome };
}

/** Rule 2: a reply between two ports of one bridge goes to the bridge, addresses unchanged. */
function steer({ device }: ModelState, passage: Passage): Prediction {
  passage.because('an answer on the same bridge');
  const octets = passage.frame.slice();
  if (device.bridgeMac) octets.set(device.bridgeMac, 0);
  return passage.go(octets, 'steered');
}

/** A connection where the last one is over; a datagram whose backend has left. */
function beginsAnew(flow: Flow, headers: Headers, passage: Passage): boolean {
  if (headers.protocol !== PROTOCOL.udp) return flow.isClosed && opens(headers);
  if (!flow.backend.hasLeft) return false;
  passage.because('its backend has left');
  passage.counted.push('flow_reselected');
  passage.also.push('reselected');
  return true;
}

function ingressIcmp(state: ModelState, passage: Passage, headers: Headers): Prediction {
  if (headers.piece !== 'whole' || !state.isOurs(passage.frame)) return passage.pass('ICMP in fragments, or for another station');
  const translation = translatedError(passage.frame, headers, 'in', state.flows);
  if (!translation) return passage.pass('ICMP about no flow');
  passage.isMatched = true;
  passage.because(`an error about the ${translation.match.role} of a flow, turned around`);
  passage.counted.push('icmp_translated');
  return passage.go(translation.octets, 'ICMP translated');
}

function withoutFlow(state: ModelState, passage: Passage, headers: Headers): Prediction {
  const { services } = state;
  const { destination, destinationPort, protocol, isV4 } = headers;
  const frontend = services.find(destination, destinationPort, protocol, isV4);
  const isNode = services.isNodeAddress(destination);
  const isClusterIP = services.isClusterIP(destination);
  const isUnallocated = !isNode && !isClusterIP && services.isServiceAddress(destination);
  passage.isMatched ||= frontend !== null || isNode || isClusterIP || isUnallocated;
  if (!state.isOurs(passage.frame)) return passage.pass('for another station');
  if (frontend) return toFrontend(state, passage, headers, frontend);
  if (isNode) return toNode(state, passage, headers);
  if (isClusterIP) return refuse(passage, headers, 'a ClusterIP without this port');
  if (isUnallocated && opens(headers)) return passage.drop('unallocated', 'no Service has this address of a ServiceCIDR');
  return passage.pass('to nobody that we know');
}

/** Rule 7. In the network namespace of a test run there is neither a socket nor a connection that netfilter knows. */
function toNode(state: ModelState, passage: Passage, headers: Headers): Prediction {
  const { protocol, destinationPort } = headers;
  if (!state.isInSnatRange(destinationPort)) return passage.pass('to the node');
  if (protocol === PROTOCOL.sctp) return passage.pass('SCTP to the node: its stack knows its associations');
  if (protocol === PROTOCOL.tcp && opens(headers)) return passage.pass('a connection to the node');
  return passage.drop('no_flow', 'to a port that masqueraded flows have, of none');
}

function toFrontend(state: ModelState, passage: Passage, headers: Headers, frontend: Frontend): Prediction {
  const { services } = state;
  const { source: client } = headers;
  const { desired } = frontend.unit;
  passage.because(`to a ${frontend.kind} of ${desired.key}`);
  if (!opens(headers)) return passage.drop('no_flow', 'begins nothing, and belongs to nothing');
  if (services.isShutOut(frontend, client)) return passage.drop('source_range', 'from outside of the source ranges');
  const candidates = services.candidates(frontend, client);
  if (candidates.list.length > 0) return beginFlow(state, passage, headers, frontend, candidates);
  if (desired.hasEndpoints) return passage.drop('no_local_endpoint', 'endpoints on other nodes only');
  return refuse(passage, headers, 'no endpoint');
}

/** No error is sent about a fragment that is not the first (RFC 1122 section 3.2.2): one about the whole is enough. */
function refuse(passage: Passage, headers: Headers, reason: string): Prediction {
  if (headers.piece === 'later') return passage.drop('fragment', `${reason}; not the first fragment`);
  const octets = portUnreachable(passage.frame, headers);
  if (!octets) return passage.drop('rewrite_failed', `${reason}; nothing that could be quoted, at ${headers.l4 - L2}`);
  passage.because(reason);
  passage.counted.push('reject_sent');
  return { verdict: 'redirect', octets, mark: passage.mark, outcome: 'rejected' };
}
