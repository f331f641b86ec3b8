// One pass at a time: what changed goes to the backend, what failed is tried again.
import type { Backend, SyncReport } from './backend/backend.ts';
import type { Logger } from './log.ts';
import type { Changes, DesiredState } from './state/model.ts';

/** The part of state/ that the loop needs. */
export interface ChangeTracker {
  readonly hasChanges: boolean;
  desired(): DesiredState;
  takeChanges(): Changes;
  restoreChanges(changes: Changes): void;
}

/** Told about passes; health and metrics listen. */
export interface LoopListener {
  queued(): void;
  synced(durationMs: number, report: SyncReport): void;
  failed(durationMs: number, error: unknown): void;
}

export interface LoopOptions {
  readonly backend: Backend;
  readonly state: ChangeTracker;
  readonly listener: LoopListener;
  readonly logger: Logger;
  readonly minSyncPeriodMs: number; // between the end of a pass and the next
  readonly retryMs: number; // after a failure, at most
  readonly fullSyncPeriodMs: number; // everything is compared again
}

const FIRST_RETRY_MS = 1000;
const FAILURES_LOGGED = 10; // of a pass; a full table refuses thousands alike

/**
 * INVARIANTS
 * - Passes never overlap.
 * - Nothing is written before request() was told that the first full picture is there (`isReady`).
 * - A change after quiet is applied at once; changes that come within minSyncPeriodMs of the last pass wait for its end.
 * - A failed pass gives its changes back: nothing is lost, and what the kernel holds stays in force.
 */
export class SyncLoop {
  readonly #options: LoopOptions;
  #wake: () => void = () => {};
  #isRequested = false;
  #isReady = false;
  #isQueuedTold = false;

  constructor(options: LoopOptions) {
    this.#options = options;
  }

  /** The first full picture is complete. */
  ready(): void {
    this.#isReady = true;
    this.request();
  }

  /** Something changed. */
  request(): void {
    if (!this.#isQueuedTold) this.#options.listener.queued();
    this.#isQueuedTold = true;
    this.#isRequested = true;
    this.#wake();
  }

  /** Runs until the signal aborts; a pass that has begun is finished first. */
  async run(signal: AbortSignal): Promise<void> {
    const { minSyncPeriodMs, fullSyncPeriodMs, retryMs } = this.#options;
    signal.addEventListener('abort', () => this.#wake(), { once: true });
    let nextFullMs = performance.now() + fullSyncPeriodMs;
    let failures = 0;
    while (!signal.aborted) {
      const untilFullMs = this.#isReady ? nextFullMs - performance.now() : Number.POSITIVE_INFINITY;
      const waitMs = failures > 0 ? Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), retryMs) : untilFullMs;
      await this.#sleep(waitMs, () => signal.aborted || (this.#isRequested && this.#isReady));
      if (signal.aborted) return;
      if (!this.#isReady) continue;
      const isFull = performance.now() >= nextFullMs;
      if (!this.#isRequested && !isFull && failures === 0) continue;
      this.#isRequested = false;
      this.#isQueuedTold = false;
      failures = (await this.#pass(isFull)) ? 0 : failures + 1;
      if (isFull && failures === 0) nextFullMs = performance.now() + fullSyncPeriodMs;
      await this.#sleep(minSyncPeriodMs, () => signal.aborted);
    }
  }

  /** True when everything was applied. */
  async #pass(isFull: boolean): Promise<boolean> {
    const { backend, state, listener, logger } = this.#options;
    const taken = state.takeChanges();
    const changes = isFull ? { ...taken, full: true } : taken;
    const startMs = performance.now();
    try {
      const report = await backend.sync(state.desired(), changes);
      const durationMs = performance.now() - startMs;
      const failedKeys = new Set(report.failures.map(({ key }) => key));
      for (const { key, message } of report.failures.slice(0, FAILURES_LOGGED))
        logger.error('Service port was not programmed; what it had stays in force', { servicePort: key, err: message });
      const hidden = report.failures.length - FAILURES_LOGGED;
      if (hidden > 0) logger.error('More Service ports were not programmed', { count: hidden });
      if (failedKeys.size > 0) state.restoreChanges({ full: false, upserted: failedKeys, removed: new Set() });
      listener.synced(durationMs, report);
      logger.verbose(2, 'Synced', { durationMs: Math.round(durationMs * 1000) / 1000, written: report.servicePortsWritten });
      return failedKeys.size === 0;
    } catch (error) {
      state.restoreChanges(changes);
      listener.failed(performance.now() - startMs, error);
      logger.error('Sync failed; the last good state stays in force', { err: error });
      return false;
    }
  }

  /** Until woken with `isOver` true, or the time is up. */
  async #sleep(ms: number, isOver: () => boolean): Promise<void> {
    if (ms <= 0 || isOver()) return;
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.#wake = () => {};
        resolve();
      };
      // Longer waits than a timer can hold only look again early.
      const timer = setTimeout(finish, Math.min(ms, 0x7fffffff));
      this.#wake = () => {
        if (isOver()) finish();
      };
    });
  }
}
