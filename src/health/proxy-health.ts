// Is the datapath keeping up? kube-proxy's rule: a family is unhealthy when its oldest change has waited for two sync periods.
// Pure: the clock is handed in.
import type { IpFamily } from '../state/model.ts';

export interface FamilyHealth {
  /** Milliseconds since the epoch of the newest completed sync. */
  readonly lastUpdatedMs: number;
  readonly healthy: boolean;
}

export interface HealthSnapshot {
  readonly healthy: boolean;
  /** The newest completed sync of any family; 0: never. */
  readonly lastUpdatedMs: number;
  readonly nowMs: number;
  /** Only families that completed a sync at least once. */
  readonly families: ReadonlyMap<IpFamily, FamilyHealth>;
}

/** Remembers, by family, the newest completed sync and the oldest change that is still waiting. */
export class ProxyHealth {
  readonly #timeoutMs: number;
  readonly #now: () => number;
  readonly #lastUpdatedMs = new Map<IpFamily, number>();
  readonly #oldestPendingMs = new Map<IpFamily, number>();

  /** @param syncPeriodMs the loop's full resync period; twice this is what a change may wait */
  constructor(syncPeriodMs: number, now: () => number) {
    this.#timeoutMs = 2 * syncPeriodMs;
    this.#now = now;
  }

  /** A change of this family waits to be programmed. Only the oldest one counts. */
  queuedUpdate(family: IpFamily): void {
    if (!this.#oldestPendingMs.has(family)) this.#oldestPendingMs.set(family, this.#now());
  }

  /** A sync that covered everything queued so far has completed (also once when the loop starts). */
  updated(family: IpFamily): void {
    this.#oldestPendingMs.delete(family);
    this.#lastUpdatedMs.set(family, this.#now());
  }

  snapshot(): HealthSnapshot {
    const nowMs = this.#now();
    let healthy = true;
    let newestMs = 0;
    const families = new Map<IpFamily, FamilyHealth>();
    // As in kube-proxy, a family is judged from its first completed sync on.
    for (const [family, lastUpdatedMs] of this.#lastUpdatedMs) {
      const pendingMs = this.#oldestPendingMs.get(family);
      const familyHealthy = pendingMs === undefined || nowMs - pendingMs < this.#timeoutMs;
      families.set(family, { lastUpdatedMs, healthy: familyHealthy });
      healthy &&= familyHealthy;
      newestMs = Math.max(newestMs, lastUpdatedMs);
    }
    return { healthy, lastUpdatedMs: newestMs, nowMs, families };
  }
}
