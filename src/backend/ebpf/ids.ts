// Numbers that name Services and backends in the tables: given out again as late as possible, and after a grace period at the earliest.

/**
 * Ids 1..size-1; 0 means none. New ones first, then those that were given back, the oldest first: a flow that outlives its Service
 * counts under the Service's id when it ends, which should not be another's by then.
 */
export class IdAllocator {
  readonly #size: number;
  readonly #graceMs: number;
  readonly #now: () => number;
  #next = 1;
  readonly #gaps: number[] = []; // below #next, free at the start
  readonly #released: { id: number; freeAtMs: number }[] = [];

  constructor(size: number, graceMs: number, now: () => number) {
    this.#size = size;
    this.#graceMs = graceMs;
    this.#now = now;
  }

  /** Takes over ids found in use; call once, before anything else. */
  restore(ids: Iterable<number>): void {
    const used = new Set([...ids].filter((id) => id < this.#size));
    const highest = Math.max(0, ...used);
    for (let id = 1; id < highest; id++) if (!used.has(id)) this.#gaps.push(id);
    this.#next = highest + 1;
  }

  /** Null when all are in use. */
  allocate(): number | null {
    if (this.#next < this.#size) return this.#next++;
    const gap = this.#gaps.pop();
    if (gap !== undefined) return gap;
    const oldest = this.#released[0];
    if (oldest === undefined || oldest.freeAtMs > this.#now()) return null;
    this.#released.shift();
    return oldest.id;
  }

  release(id: number): void {
    this.#released.push({ id, freeAtMs: this.#now() + this.#graceMs });
  }
}
