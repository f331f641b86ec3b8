// Where Turnout is not kube-proxy, on purpose. Each row is as narrow as can be; every use is counted, and a row without use is told.

import { BOUND_VIP, isNodeAddress } from './addresses.ts';
import { outcomeText } from './compare.ts';
import { SERVING, STALE } from './held.ts';
import { addressOf, type Probe, type Seen, UNTOUCHED } from './probe.ts';
import type { ReferenceMode } from './world.ts';

export interface Case {
  readonly mode: ReferenceMode;
  readonly socketPath: string;
  readonly probe: Probe;
  readonly reference: Seen;
  readonly turnout: Seen;
}

/** A connection held over a change. */
export interface HeldCase {
  readonly socketPath: string;
  readonly probe: Probe;
  readonly isServed: boolean; // its frontend is still there, with an endpoint that serves
  readonly isOlder: boolean; // it was opened before the address was a Service's
  readonly hasLeft: boolean; // the endpoint that Turnout gave it serves no more
  readonly reference: string; // heldText()
  readonly turnout: string;
}

export interface Difference {
  readonly name: string;
  readonly reason: string;
  readonly covers?: (one: Case) => boolean;
  readonly coversHeld?: (one: HeldCase) => boolean;
}

const isOnly = ({ answers, errors }: Seen, error: string): boolean =>
  answers.size === 0 && errors.size === 1 && errors.has(error);

/** An answer of an endpoint on the node that saw an address of the host's port (src/backend/ebpf). */
const fromHostPort = (answer: string): string =>
  isNodeAddress(addressOf(answer.split(' <- ')[0] ?? ''))
    ? answer.replace(/ <- (169\.254\.\d+\.\d+|fd74:7572:6e6f:7574::\w+)$/, ' <- node')
    : answer;

/** The socket was ended. */
const ENDED = /^1 of 1 lost: (ECONNABORTED|EDESTADDRREQ|ENOTCONN)$/;
const LOST = /^1 of 1 lost: (ECONNREFUSED|ECONNRESET|ETIMEDOUT|ECONNABORTED|EDESTADDRREQ|ENOTCONN)$/;

export const DIFFERENCES: readonly Difference[] = [
  {
    name: 'node ports on loopback',
    reason:
      'kube-proxy serves them on 127.0.0.1 in iptables mode only, and never on ::1; Turnout on both, for processes of the host',
    covers: ({ mode, probe, reference }) =>
      probe.kind === 'loopback' && (mode === 'nftables' || probe.to === '::1') && isOnly(reference, 'refused'),
  },
  {
    name: 'UDP flows whose last endpoint is gone',
    reason:
      'kube-proxy leaves them with an endpoint that serves no more, as it cleans up only for Services with a serving endpoint; Turnout looks again: refused, dropped, or no Service',
    coversHeld: ({ probe, isServed, hasLeft, reference, turnout }) =>
      probe.protocol === 'UDP' && !isServed && hasLeft && reference === STALE && (turnout === STALE || LOST.test(turnout)),
  },
  {
    name: 'UDP flows that kube-proxy has not cleaned up',
    reason:
      'kube-proxy looks for stale flows when an EndpointSlice changes, not when a Service does; Turnout sees at the next datagram that the endpoint has left',
    coversHeld: ({ probe, isServed, hasLeft, reference, turnout }) =>
      probe.protocol === 'UDP' && isServed && hasLeft && reference === STALE && (turnout === SERVING || LOST.test(turnout)),
  },
  {
    name: 'drops on the way from the node to itself',
    reason:
      'a packet of the host to a load-balancer IP that is bound on the node meets no device; where source ranges forbid it, kube-proxy drops it and here nobody listens: refused',
    covers: ({ probe, reference, turnout }) =>
      probe.sender === 'node' &&
      probe.kind === 'load-balancer IP' &&
      Object.values(BOUND_VIP).includes(probe.to) &&
      isOnly(reference, 'dropped') &&
      isOnly(turnout, 'refused'),
  },
  {
    name: 'the host to an address of its own, without the socket path',
    reason:
      'such packets meet no device of the node, so only the socket path can translate them, and that one has neither SCTP nor, when it is off, anything',
    covers: ({ socketPath, probe, turnout }) =>
      probe.sender === 'node' &&
      isNodeAddress(probe.to) &&
      (probe.protocol === 'SCTP' || socketPath === 'off') &&
      isOnly(turnout, 'refused'),
  },
  {
    name: 'raw SCTP of the host to an address that is no ClusterIP',
    reason:
      "external addresses are routed to the host's port by protocol and port, and a raw packet, by which SCTP is probed here, has no port when its route is chosen; real sockets have one (test/vm/sctp.test.ts)",
    covers: ({ probe, turnout }) =>
      probe.sender === 'node' &&
      probe.protocol === 'SCTP' &&
      (probe.kind === 'load-balancer IP' || probe.kind === 'externalIP') &&
      turnout.errors.size === 0 &&
      turnout.answers.size > 0 &&
      [...turnout.answers].every((answer) => answer.startsWith(UNTOUCHED)),
  },
  {
    name: 'the source of the host towards itself',
    reason:
      'what the host sends to a Service outside of the socket path goes through a port of its own, and is seen with its address by an endpoint on the node itself',
    covers: ({ probe, reference, turnout }) =>
      probe.sender === 'node' &&
      outcomeText(reference) !== outcomeText(turnout) &&
      outcomeText(reference) === outcomeText({ ...turnout, answers: new Set([...turnout.answers].map(fromHostPort)) }),
  },
  {
    name: 'new connections of the host where open ones outlive the Service',
    reason:
      "without the socket path they are led to the host's port together, by address, protocol and port, as long as one is open; nobody serves the new ones there",
    covers: ({ socketPath, probe, reference, turnout }) =>
      socketPath === 'off' &&
      probe.sender === 'node' &&
      (probe.kind === 'load-balancer IP' || probe.kind === 'externalIP') &&
      reference.errors.size === 0 &&
      [...reference.answers].every((answer) => answer.startsWith(UNTOUCHED)) &&
      isOnly(turnout, 'dropped'),
  },
  {
    name: "UDP of the host to an external address that is no longer a Service's",
    reason: "without the socket path its datagrams are led to the host's port while the address is one; kube-proxy keeps flows",
    coversHeld: ({ socketPath, probe, reference, turnout }) =>
      socketPath === 'off' &&
      probe.sender === 'node' &&
      probe.protocol === 'UDP' &&
      (probe.kind === 'load-balancer IP' || probe.kind === 'externalIP') &&
      reference === SERVING &&
      turnout === STALE,
  },
  {
    name: 'connections of the host that are older than the Service',
    reason:
      'without the socket path, what the host sends to an external address is led to its own port once a Service has it, also from sockets that were there before; kube-proxy leaves TCP alone, and UDP until it cleans up',
    coversHeld: ({ socketPath, probe, isOlder, turnout }) =>
      socketPath === 'off' && isOlder && probe.sender === 'node' && (probe.protocol === 'UDP' || LOST.test(turnout)),
  },
  {
    name: 'connected UDP sockets of the host',
    reason: 'are translated once, at connect(); when their endpoint is gone they are ended, so that their process connects again',
    coversHeld: ({ probe, hasLeft, turnout }) =>
      probe.protocol === 'UDP' && probe.sender === 'node' && hasLeft && ENDED.test(turnout),
  },
];

export const findDifference = (one: Case): Difference | undefined => DIFFERENCES.find(({ covers }) => covers?.(one));
export const findHeldDifference = (one: HeldCase): Difference | undefined =>
  DIFFERENCES.find(({ coversHeld }) => coversHeld?.(one));
