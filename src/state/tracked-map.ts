// A map that knows what changed since it was last asked.
import { isEqual } from './equality.ts';

/** The value at the last take() is not to be relied on: applying it failed. */
const UNKNOWN = Symbol('unknown');

/**
 * Invariants:
 * - A key has changed while its value differs from the one at the last take(): what went away and came back is no change.
 * - A key that was given back stays changed until the next take(), whatever becomes of its value.
 * - Values are never changed in place; a value that is equal to the one there leaves that one in place.
 */
export class TrackedMap<V> {
  readonly #values = new Map<string, V>();
  #taken = new Map<string, V | undefined | typeof UNKNOWN>(); // of keys that changed: the value at the last take()

  /** Live: it moves with set() and delete(). */
  get values(): ReadonlyMap<string, V> {
    return this.#values;
  }

  get hasChanges(): boolean {
    return this.#taken.size > 0;
  }

  changedKeys(): Iterable<string> {
    return this.#taken.keys();
  }

  set(key: string, value: V): void {
    const current = this.#values.get(key);
    if (current !== undefined && isEqual(value, current)) return;
    const taken = this.#taken.has(key) ? this.#taken.get(key) : current;
    if (taken !== undefined && taken !== UNKNOWN && isEqual(value, taken)) {
      this.#values.set(key, taken);
      this.#taken.delete(key);
      return;
    }
    this.#values.set(key, value);
    this.#taken.set(key, taken);
  }

  delete(key: string): void {
    const current = this.#values.get(key);
    if (current === undefined) return;
    this.#values.delete(key);
    if (!this.#taken.has(key)) this.#taken.set(key, current);
    else if (this.#taken.get(key) === undefined) this.#taken.delete(key);
  }

  /** Keys that changed since the last call, and forgets them. */
  take(): { readonly upserted: Set<string>; readonly removed: Set<string> } {
    const upserted = new Set<string>();
    const removed = new Set<string>();
    for (const key of this.#taken.keys()) (this.#values.has(key) ? upserted : removed).add(key);
    this.#taken = new Map();
    return { upserted, removed };
  }

  /** Keys of which nobody knows what was applied. */
  giveBack(keys: Iterable<string>): void {
    for (const key of keys) this.#taken.set(key, UNKNOWN);
  }
}
