// Who has which address and port. Two Services may claim one; the claim in force stays until it is given up.
import type { Conflict } from './cluster-state.ts';
import { type BareServicePort, frontendKeysOf } from './service-ports.ts';

export interface ClaimResult {
  readonly granted: readonly BareServicePort[]; // units that have all their frontends
  readonly conflicts: readonly Conflict[]; // new ones only
  readonly freed: readonly string[]; // Services that wait for something this one gave up
}

/**
 * Invariant: a frontend has one holder; a unit is granted only when it holds every frontend it wants. Cost of an update
 * is proportional to the Service's own frontends, however many Services there are.
 */
export class FrontendClaims {
  readonly #holders = new Map<string, string>(); // frontend -> unit key
  readonly #services = new Map<string, string>(); // unit key -> namespace/name
  readonly #held = new Map<string, Map<string, string[]>>(); // namespace/name -> unit key -> frontends
  readonly #waiting = new Map<string, Set<string>>(); // frontend -> namespace/name
  readonly #waitsFor = new Map<string, Set<string>>(); // namespace/name -> frontends

  update(serviceKey: string, units: readonly BareServicePort[]): ClaimResult {
    const wanted = units.map((unit) => ({ unit, frontends: frontendKeysOf(unit) }));
    const waitedBefore = this.#waitsFor.get(serviceKey) ?? new Set<string>();
    for (const frontend of waitedBefore) this.#waiting.get(frontend)?.delete(serviceKey);
    this.#waitsFor.delete(serviceKey);

    const gaveUp = this.#release(serviceKey, wanted);
    const granted: BareServicePort[] = [];
    const conflicts: Conflict[] = [];
    const held = new Map<string, string[]>();
    for (const { unit, frontends } of wanted) {
      const taken = frontends.filter((frontend) => (this.#holders.get(frontend) ?? unit.key) !== unit.key);
      if (taken.length > 0) {
        for (const frontend of taken) {
          this.#wait(serviceKey, frontend);
          const holder = this.#services.get(this.#holders.get(frontend) ?? '') ?? '';
          if (!waitedBefore.has(frontend)) conflicts.push({ frontend, holder, waiting: serviceKey });
        }
        // What it held stays held by nobody: a unit is programmed whole or not at all.
        for (const frontend of frontends) if (this.#holders.get(frontend) === unit.key) this.#drop(frontend, gaveUp);
        this.#services.delete(unit.key);
        continue;
      }
      for (const frontend of frontends) this.#holders.set(frontend, unit.key);
      this.#services.set(unit.key, serviceKey);
      held.set(unit.key, frontends);
      granted.push(unit);
    }
    if (held.size > 0) this.#held.set(serviceKey, held);
    else this.#held.delete(serviceKey);
    const freed = new Set([...gaveUp].flatMap((frontend) => [...(this.#waiting.get(frontend) ?? [])]));
    freed.delete(serviceKey);
    return { granted, conflicts, freed: [...freed] };
  }

  /** Gives up what the Service no longer wants; returns those frontends. */
  #release(serviceKey: string, wanted: readonly { unit: BareServicePort; frontends: readonly string[] }[]): Set<string> {
    const gaveUp = new Set<string>();
    const wants = new Map(wanted.map(({ unit, frontends }) => [unit.key, new Set(frontends)]));
    for (const [unitKey, frontends] of this.#held.get(serviceKey) ?? []) {
      const still = wants.get(unitKey);
      for (const frontend of frontends) if (!still?.has(frontend)) this.#drop(frontend, gaveUp);
      if (!still) this.#services.delete(unitKey);
    }
    return gaveUp;
  }

  #drop(frontend: string, gaveUp: Set<string>): void {
    this.#holders.delete(frontend);
    gaveUp.add(frontend);
  }

  #wait(serviceKey: string, frontend: string): void {
    const waiters = this.#waiting.get(frontend) ?? new Set();
    this.#waiting.set(frontend, waiters.add(serviceKey));
    const frontends = this.#waitsFor.get(serviceKey) ?? new Set();
    this.#waitsFor.set(serviceKey, frontends.add(frontend));
  }
}
