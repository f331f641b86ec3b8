// What the canaries have shown so far, by hook.
import type { CanaryEntry } from '../../cli/verify-table.ts';
import type { Logger } from '../../log.ts';
import type { CanaryProof } from './canary.ts';

export class CanaryRecord {
  readonly #logger: Logger;
  readonly #entries = new Map<string, CanaryEntry>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** What nothing is sent through, and why. */
  unproven(hook: string, detail: string): void {
    this.#entries.set(hook, { hook, state: 'unproven', detail, runs: 0, failures: 0 });
  }

  note({ hook, failure, unproven }: CanaryProof): void {
    const before = this.#entries.get(hook);
    const isNew = before?.state !== 'failed' || before.detail !== failure;
    if (failure !== '' && isNew) this.#logger.error('A hook does not do its work', { hook, reason: failure });
    if (failure === '' && before?.state === 'failed') this.#logger.info('A hook works again', { hook });
    this.#entries.set(hook, {
      hook,
      state: unproven !== undefined ? 'unproven' : failure === '' ? 'proven' : 'failed',
      detail: unproven ?? failure,
      runs: (before?.runs ?? 0) + 1,
      failures: (before?.failures ?? 0) + (failure === '' ? 0 : 1),
    });
  }

  list(): CanaryEntry[] {
    return [...this.#entries.values()];
  }
}
