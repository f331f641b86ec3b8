// Where Turnout is not kube-proxy, on purpose. Each row is as narrow as can be; every use is counted, and a row without use is told.

import { STALE } from './held.ts';
import type { Probe, Seen } from './probe.ts';
import type { ReferenceMode } from './world.ts';

export interface Case {
  readonly mode: ReferenceMode;
  readonly probe: Probe;
  readonly reference: Seen;
  readonly turnout: Seen;
}

/** A connection held over a change. */
export interface HeldCase {
  readonly probe: Probe;
  readonly isServed: boolean; // its frontend is still there, with an endpoint that serves
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

/** The socket was ended. */
const ENDED = /^1 of 1 lost: (ECONNABORTED|EDESTADDRREQ|ENOTCONN)$/;
const LOST = /^1 of 1 lost: (ECONNREFUSED|ETIMEDOUT|ECONNABORTED|EDESTADDRREQ|ENOTCONN)$/;

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
    name: 'connected UDP sockets of the host',
    reason: 'are translated once, at connect(); when their endpoint is gone they are ended, so that their process connects again',
    coversHeld: ({ probe, hasLeft, turnout }) =>
      probe.protocol === 'UDP' && probe.sender === 'node' && hasLeft && ENDED.test(turnout),
  },
];

export const findDifference = (one: Case): Difference | undefined => DIFFERENCES.find(({ covers }) => covers?.(one));
export const findHeldDifference = (one: HeldCase): Difference | undefined =>
  DIFFERENCES.find(({ coversHeld }) => coversHeld?.(one));
