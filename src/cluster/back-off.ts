// How long to wait before another try: doubled each time, with jitter so that nodes do not come all at once. client-go's numbers.
import { setTimeout as sleep } from 'node:timers/promises';

const FIRST_MS = 800;
const LONGEST_MS = 30_000;

export class BackOff {
  readonly #firstMs: number;
  #nextMs: number;

  constructor(firstMs = FIRST_MS) {
    this.#firstMs = firstMs;
    this.#nextMs = firstMs;
  }

  /** Milliseconds to wait now: between the base and twice the base. */
  next(): number {
    const waitMs = this.#nextMs * (1 + Math.random());
    this.#nextMs = Math.min(this.#nextMs * 2, LONGEST_MS);
    return waitMs;
  }

  reset(): void {
    this.#nextMs = this.#firstMs;
  }
}

/** Resolves after the time, or early when the signal aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
