// Numbers that name Services and backends in the tables: small, given out again only after a grace period.

/** Ids 1..size-1; 0 means none. An id that was used before is told apart, so that its counters can be zeroed. */
export class IdAllocator {
  readonly #size: number;
  readonly #graceMs: number;
  readonly #now: () => number;
  #next = 1;
  #free: number[] = [];
  #pending: { id: number; freeAtMs: number }[] = [];

  constructor(size: number, graceMs: number, now: () => number) {
    this.#size = size;
    this.#graceMs = graceMs;
    this.#now = now;
  }

  /** Takes over ids found in use; call once, before anything else. */
  restore(ids: Iterable<number>): void {
    const used = new Set(ids);
    const highest = Math.max(0, ...used);
    for (let id = 1; id < highest; id++) if (!used.has(id)) this.#free.push(id);
    this.#next = highest + 1;
  }

  /** Null when all are in use. */
  allocate(): { id: number; isReused: boolean } | null {
    const nowMs = this.#now();
    while ((this.#pending[0]?.freeAtMs ?? Number.POSITIVE_INFINITY) <= nowMs) this.#free.push(this.#pending.shift()?.id ?? 0);
    const id = this.#free.pop();
    if (id !== undefined) return { id, isReused: true };
    return this.#next < this.#size ? { id: this.#next++, isReused: false } : null;
  }

  release(id: number): void {
    this.#pending.push({ id, freeAtMs: this.#now() + this.#graceMs });
  }
}
