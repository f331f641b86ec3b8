// A backend that programs nothing and remembers what it would have: for tests, and for seeing what a folder of manifests means.
import type { Changes, DesiredState } from '../../state/model.ts';
import { printServicePort } from '../../state/print.ts';
import type { Backend, ProbeResult, SyncReport } from '../backend.ts';

export class FakeBackend implements Backend {
  readonly mode = 'fake';
  readonly #lines = new Map<string, string>(); // by unit key
  #failures = 0;

  probe(): Promise<ProbeResult> {
    return Promise.resolve({ ok: true });
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  /** The next `count` syncs fail before they change anything. */
  failNext(count: number): void {
    this.#failures = count;
  }

  sync(desired: DesiredState, changes: Changes): Promise<SyncReport> {
    if (this.#failures > 0) {
      this.#failures--;
      return Promise.reject(new Error('the fake was told to fail'));
    }
    const upserted = changes.full ? [...desired.servicePorts.keys()] : [...changes.upserted];
    const removed = changes.full ? [...this.#lines.keys()].filter((key) => !desired.servicePorts.has(key)) : [...changes.removed];
    for (const key of removed) this.#lines.delete(key);
    let written = 0;
    for (const key of upserted) {
      const unit = desired.servicePorts.get(key);
      const line = unit && printServicePort(unit);
      if (line === undefined || this.#lines.get(key) === line) continue;
      this.#lines.set(key, line);
      written++;
    }
    return Promise.resolve({ servicePortsWritten: written, servicePortsRemoved: removed.length, failures: [] });
  }

  /** Canonical text, one line each unit, sorted. */
  dump(): string {
    return [...this.#lines.values()]
      .sort()
      .map((line) => `${line}\n`)
      .join('');
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  cleanup(): Promise<void> {
    this.#lines.clear();
    return Promise.resolve();
  }
}
