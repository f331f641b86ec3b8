// --kube-api-qps and --kube-api-burst: a bucket of `burst` tokens that fills at `qps` a second, as client-go's.
import { setTimeout as sleep } from 'node:timers/promises';

export class RateLimiter {
  readonly #qps: number;
  readonly #burst: number;
  #tokens: number;
  #filledMs = performance.now();

  /** qps below 0: no limit. */
  constructor(qps: number, burst: number) {
    this.#qps = qps;
    this.#burst = Math.max(1, burst);
    this.#tokens = this.#burst;
  }

  /** Resolves when a request may be sent; callers are served in order. Rejects when the signal aborts. */
  async take(signal: AbortSignal): Promise<void> {
    if (this.#qps < 0) return;
    const nowMs = performance.now();
    this.#tokens = Math.min(this.#burst, this.#tokens + ((nowMs - this.#filledMs) / 1000) * this.#qps);
    this.#filledMs = nowMs;
    // Going below zero reserves the place in the queue.
    this.#tokens--;
    if (this.#tokens < 0) await sleep((-this.#tokens / this.#qps) * 1000, undefined, { signal });
  }
}
