// Which rows of `backends` are free. A list is a run of rows; a list that is replaced stays untouched for a grace period.

export interface Extent {
  readonly base: number;
  readonly count: number;
}

interface Pending extends Extent {
  readonly freeAtMs: number;
}

const EMPTY: Extent = { base: 0, count: 0 };

/**
 * Invariants: row 0 is never given out; no two extents in use overlap; an extent is given out again at the earliest
 * `graceMs` after it was released, because a program that read the old base may still be reading its rows.
 */
export class ExtentAllocator {
  readonly #size: number;
  readonly #graceMs: number;
  readonly #now: () => number;
  #top = 1; // rows from here on were never used
  #bins = new Map<number, number[]>(); // length -> bases
  #pending: Pending[] = []; // by freeAtMs
  #used = 0;

  constructor(size: number, graceMs: number, now: () => number) {
    this.#size = size;
    this.#graceMs = graceMs;
    this.#now = now;
  }

  /** Rows in use, those in their grace period not counted. */
  get used(): number {
    return this.#used;
  }

  /** Takes over extents found in use; call once, before anything else. Overlapping ones may be given. */
  restore(extents: Iterable<Extent>): void {
    const sorted = [...extents].filter(({ count }) => count > 0).sort((a, b) => a.base - b.base);
    for (const { base, count } of sorted) {
      if (base > this.#top) this.#put({ base: this.#top, count: base - this.#top });
      const end = base + count;
      this.#used += Math.max(0, end - Math.max(base, this.#top));
      this.#top = Math.max(this.#top, end);
    }
  }

  /** A run of rows, or null when there is none. */
  allocate(count: number): Extent | null {
    if (count === 0) return EMPTY;
    this.#collect();
    let base = this.#take(count);
    if (base === undefined) {
      this.#coalesce();
      base = this.#take(count);
    }
    if (base === undefined) return null;
    this.#used += count;
    return { base, count };
  }

  release(extent: Extent): void {
    if (extent.count === 0) return;
    this.#used -= extent.count;
    this.#pending.push({ ...extent, freeAtMs: this.#now() + this.#graceMs });
  }

  #take(count: number): number | undefined {
    const base = this.#bins.get(count)?.pop();
    if (base !== undefined) return base;
    if (this.#top + count <= this.#size) {
      this.#top += count;
      return this.#top - count;
    }
    // The smallest longer run; rare, so a scan of the lengths will do.
    const length = [...this.#bins.entries()]
      .filter(([n, bases]) => n > count && bases.length > 0)
      .sort(([a], [b]) => a - b)[0]?.[0];
    const longer = length === undefined ? undefined : this.#bins.get(length)?.pop();
    if (longer === undefined || length === undefined) return undefined;
    this.#put({ base: longer + count, count: length - count });
    return longer;
  }

  #put({ base, count }: Extent): void {
    if (count <= 0) return;
    const bases = this.#bins.get(count);
    if (bases) bases.push(base);
    else this.#bins.set(count, [base]);
  }

  #collect(): void {
    const nowMs = this.#now();
    let ripe = 0;
    while (ripe < this.#pending.length && (this.#pending[ripe]?.freeAtMs ?? 0) <= nowMs) ripe++;
    for (const extent of this.#pending.splice(0, ripe)) this.#put(extent);
  }

  /** Joins neighbours; a run that ends at the top is given back to it. Only when nothing fits. */
  #coalesce(): void {
    const runs = [...this.#bins.entries()].flatMap(([count, bases]) => bases.map((base) => ({ base, count })));
    runs.sort((a, b) => a.base - b.base);
    this.#bins = new Map();
    let current: { base: number; count: number } | null = null;
    for (const run of runs) {
      if (current && current.base + current.count === run.base) {
        current.count += run.count;
        continue;
      }
      if (current) this.#put(current);
      current = { ...run };
    }
    if (!current) return;
    if (current.base + current.count === this.#top) this.#top = current.base;
    else this.#put(current);
  }
}
