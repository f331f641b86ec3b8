// What must come of one packet, and what was seen to come of it.
import type { Address } from './address.ts';
import type { Headers } from './headers.ts';

export type Hook = 'ingress' | 'egress';

/** What the closing table counts. */
export const OUTCOMES = [
  ...['passed', 'new flow', 'established', 'reply', 'masqueraded first', 'masqueraded', 'reply to our source', 'steered'],
  ...['guarded', 'ICMP translated', 'rejected', 'reselected', 'moved to another port', 'port free again', 'not run'],
  ...['no_flow', 'no_local_endpoint', 'source_range', 'unallocated', 'port_collision', 'snat_exhausted', 'no_source'],
  ...['rewrite_failed', 'reject_limited', 'flows_full', 'icmp_redirect', 'fragment', 'fragment held', 'fragment released'],
] as const;
export type Outcome = string;

/** Names as in Datapath.counted(). */
export type CounterName = string;

export interface Prediction {
  readonly verdict: 'next' | 'drop' | 'redirect';
  /** Null: the packet goes nowhere, so nobody asks how it looks. */
  readonly octets: Uint8Array | null;
  readonly mark: number;
  readonly outcome: Outcome;
}

/** Where the datapath may choose freely, the model looks at what was chosen, and says whether that was allowed. */
export interface Observed {
  readonly verdict: string;
  readonly packet: Uint8Array;
  /** Of the entry that is there now for this packet as it came in: what no octet of the packet tells. */
  entry(direction: 'in' | 'out', headers: Headers): { address: Address; sourcePort: number; destinationPort: number } | null;
}

/** One packet on its way through the model. */
export class Passage {
  readonly frame: Uint8Array;
  readonly mark: number;
  readonly observed: Observed;
  readonly counted: CounterName[] = [];
  /** Null: nobody asks why. */
  readonly reasons: string[] | null;
  /** Some entry, frontend or address of ours concerned this packet. */
  isMatched = false;
  /** Further lines of the closing table. */
  readonly also: Outcome[] = [];

  constructor(frame: Uint8Array, mark: number, observed: Observed, wantsReasons: boolean) {
    this.frame = frame;
    this.mark = mark;
    this.observed = observed;
    this.reasons = wantsReasons ? [] : null;
  }

  because(reason: string): void {
    this.reasons?.push(reason);
  }

  pass(reason: string): Prediction {
    this.because(reason);
    return { verdict: 'next', octets: this.frame, mark: this.mark, outcome: 'passed' };
  }

  drop(counter: string, reason: string): Prediction {
    this.because(reason);
    this.counted.push(`drop_${counter}`);
    return { verdict: 'drop', octets: null, mark: this.mark, outcome: counter };
  }

  /** Null: the packet cannot be changed as it should. */
  go(octets: Uint8Array | null, outcome: Outcome, mark = this.mark): Prediction {
    if (octets === null) return this.drop('rewrite_failed', 'it cannot be rewritten');
    return { verdict: 'next', octets, mark, outcome };
  }
}
