// The programs' counters by name. Names come from enum lb_counter: a new one there is a new metric here.
import { viewOf } from '../../datapath/bytes.ts';
import { Counter } from '../../datapath/layout.gen.ts';
import type { BpfMap } from '../../native/bpf-map.ts';

const DROP = 'LB_DROP_';

export interface CounterReading {
  readonly events: Record<string, number>;
  readonly drops: Record<string, number>;
}

/** LB_DROP_NO_FLOW -> no_flow among the drops, LB_FLOW_NEW -> flow_new among the events. */
export function counterName(name: string): { kind: 'events' | 'drops'; name: string } {
  if (name.startsWith(DROP)) return { kind: 'drops', name: name.slice(DROP.length).toLowerCase() };
  return { kind: 'events', name: name.replace(/^LB_/, '').toLowerCase() };
}

/** Sums over all CPUs, since the map was made. */
export function readCounters(counters: BpfMap): CounterReading {
  const reading: CounterReading = { events: {}, drops: {} };
  const key = new Uint8Array(4);
  for (const [name, row] of Object.entries(Counter)) {
    if (name === 'LB_COUNTER_MAX') continue;
    viewOf(key).setUint32(0, row, true);
    const slots = viewOf(counters.perCpuGet(key));
    let sum = 0n;
    for (let at = 0; at < slots.byteLength; at += 8) sum += slots.getBigUint64(at, true);
    const named = counterName(name);
    reading[named.kind][named.name] = Number(sum);
  }
  return reading;
}
