// Services whose EndpointSlices changed, and when what the slices show was triggered. (kube-proxy-parity.md 4, 5.6, 6.5)
import type { Changes, EndpointChange } from './model.ts';
import { serviceKeyOf } from './service-ports.ts';

interface Pending extends EndpointChange {
  readonly isCut: boolean; // a slice was removed: times from before do not count
}
const NO_TIMES: Pending = { triggerTimesMs: [], isCut: false };
const CUT: Pending = { triggerTimesMs: [], isCut: true };

/**
 * As kube-proxy's tracker for network_programming_duration: each changed slice adds the time its annotation tells, a removed
 * one forgets the times of its Service, because its annotation is about its last update and not about the removal.
 */
export class EndpointChanges {
  readonly #startedAtMs: number;
  #pending = new Map<string, Pending>(); // by namespace/name of the Service

  /** startedAtMs: what was triggered before is no matter of this process. */
  constructor(startedAtMs: number) {
    this.#startedAtMs = startedAtMs;
  }

  /** Services with changes that nobody took. */
  get size(): number {
    return this.#pending.size;
  }

  changed(serviceKey: string, triggerMs: number | undefined): void {
    const pending = this.#pending.get(serviceKey) ?? NO_TIMES;
    const isTold = triggerMs !== undefined && triggerMs > this.#startedAtMs;
    this.#pending.set(serviceKey, isTold ? { ...pending, triggerTimesMs: [...pending.triggerTimesMs, triggerMs] } : pending);
  }

  removed(serviceKey: string): void {
    this.#pending.set(serviceKey, CUT);
  }

  take(): ReadonlyMap<string, EndpointChange> {
    const taken = this.#pending;
    this.#pending = new Map();
    return taken;
  }

  /** Of changes that could not be applied: the latency goes on until they are. */
  giveBack(changes: ReadonlyMap<string, EndpointChange>): void {
    for (const [serviceKey, { triggerTimesMs }] of changes) {
      const since = this.#pending.get(serviceKey) ?? NO_TIMES;
      const times = since.isCut ? since.triggerTimesMs : [...triggerTimesMs, ...since.triggerTimesMs];
      this.#pending.set(serviceKey, { triggerTimesMs: times, isCut: since.isCut });
    }
  }
}

/**
 * Whether UDP flows may lead to endpoints that are gone: slices of a Service changed, and with them one of its UDP units.
 * For modes whose flows live in netfilter's conntrack; a change of a Service alone asks for no clean-up, as in kube-proxy.
 */
export function isUdpCleanupDue({ upserted, removed, endpoints }: Changes): boolean {
  const isStale = (key: string): boolean => /\/UDP\/IPv[46]$/.test(key) && endpoints?.has(serviceKeyOf(key)) === true;
  return [...upserted].some(isStale) || [...removed].some(isStale);
}
