// Who has which address and port. Two Services may claim one; the claim in force stays until it is given up.
import { type BareServicePort, frontendKeysOf, withoutFrontends } from './service-ports.ts';

/** A frontend that a unit wants and another Service (or another port of this one) has. */
export interface LostClaim {
  readonly frontend: string; // as frontendKeysOf() writes it
  readonly holder: string; // namespace/name
  readonly unit: BareServicePort; // the one that waits
}

export interface ClaimResult {
  readonly granted: readonly BareServicePort[]; // without the frontends that others have
  readonly lost: readonly LostClaim[]; // new ones only
  readonly freed: readonly string[]; // Services that wait for something this one gave up, the longest waiting first
}

interface Claims {
  readonly held: ReadonlySet<string>;
  readonly waits: ReadonlySet<string>;
}
const NONE: Claims = { held: new Set(), waits: new Set() };

/**
 * Invariants:
 * - A frontend has one holder. A unit without its cluster IP is not granted and holds nothing; one that misses another
 *   frontend is granted without that.
 * - Cost of an update is proportional to the Service's own frontends, however many Services there are.
 */
export class FrontendClaims {
  readonly #holders = new Map<string, string>(); // frontend -> namespace/name
  readonly #claims = new Map<string, Claims>(); // namespace/name -> its frontends
  readonly #waiting = new Map<string, Set<string>>(); // frontend -> Services that wait for it

  /** Replaces what a Service claims; no units: it gives everything up. */
  update(serviceKey: string, units: readonly BareServicePort[]): ClaimResult {
    const before = this.#claims.get(serviceKey) ?? NONE;
    const held = new Set<string>();
    const waits = new Set<string>();
    const lost: LostClaim[] = [];
    const granted: BareServicePort[] = [];
    for (const unit of units) {
      const frontends = frontendKeysOf(unit);
      // What this Service itself held before is free for any of its ports: a port may have been renamed.
      const taken = frontends.filter((key) => held.has(key) || (this.#holders.get(key) ?? serviceKey) !== serviceKey);
      for (const frontend of taken) {
        if (!before.waits.has(frontend)) lost.push({ frontend, holder: this.#holders.get(frontend) ?? serviceKey, unit });
        waits.add(frontend);
      }
      const [clusterFrontend = ''] = frontends;
      if (taken.includes(clusterFrontend)) continue;
      for (const frontend of frontends) if (!taken.includes(frontend)) held.add(frontend);
      granted.push(taken.length === 0 ? unit : withoutFrontends(unit, new Set(taken)));
    }
    const freed = this.#replace(serviceKey, before, { held, waits });
    return { granted, lost, freed };
  }

  #replace(serviceKey: string, before: Claims, after: Claims): string[] {
    const freed = new Set<string>();
    for (const frontend of before.waits) {
      if (after.waits.has(frontend)) continue;
      const waiting = this.#waiting.get(frontend);
      waiting?.delete(serviceKey);
      if (waiting?.size === 0) this.#waiting.delete(frontend);
    }
    for (const frontend of after.waits) this.#waiting.set(frontend, (this.#waiting.get(frontend) ?? new Set()).add(serviceKey));
    for (const frontend of before.held) {
      if (after.held.has(frontend)) continue;
      this.#holders.delete(frontend);
      for (const waiting of this.#waiting.get(frontend) ?? []) freed.add(waiting);
    }
    for (const frontend of after.held) this.#holders.set(frontend, serviceKey);
    if (after.held.size + after.waits.size > 0) this.#claims.set(serviceKey, after);
    else this.#claims.delete(serviceKey);
    freed.delete(serviceKey);
    return [...freed];
  }
}
