// What was compared and what differed, by table, since the process started. Bounded: the newest drift is kept, the rest is counted.
import type { DriftEntry, VerifyReport } from '../../cli/verify-table.ts';
import type { Logger } from '../../log.ts';
import type { Drift } from './verify.ts';

const KEPT = 20;
/** Lines of one table in one round; damage to a whole table would write millions. */
const LOGGED = 20;

interface Counts {
  rowsCompared: number;
  missing: number;
  differs: number;
  unexpected: number;
  failures: number;
}

export class DriftRecord {
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #counts = new Map<string, Counts>();
  readonly #logged = new Map<string, number>();
  #recent: DriftEntry[] = [];

  /** now: milliseconds since the epoch */
  constructor(logger: Logger, now: () => number) {
    this.#logger = logger;
    this.#now = now;
  }

  compared(table: string, rows: number): void {
    this.#of(table).rowsCompared += rows;
  }

  note(drift: Drift): void {
    const { table, kind, row, expected, found, failure } = drift;
    const counts = this.#of(table);
    counts[kind]++;
    if (failure !== '') counts.failures++;
    this.#recent = [...this.#recent, { at: new Date(this.#now()).toISOString(), ...drift }].slice(-KEPT);
    const logged = (this.#logged.get(table) ?? 0) + 1;
    this.#logged.set(table, logged);
    if (logged > LOGGED) return;
    const values = { table, kind, row, ...(expected && { expected }), ...(found && { found }) };
    if (failure === '') this.#logger.warn('Somebody changed what is ours; it is as it was again', values);
    else
      this.#logger.error('Somebody changed what is ours, and it cannot be put right; it is tried again', {
        ...values,
        err: failure,
      });
  }

  /** The end of a round: what was too much to be logged is said in one line. */
  roundEnded(): void {
    for (const [table, logged] of this.#logged) {
      if (logged > LOGGED) this.#logger.warn('More rows of a table had been changed', { table, count: logged - LOGGED });
    }
    this.#logged.clear();
  }

  get recent(): readonly DriftEntry[] {
    return this.#recent;
  }

  tables(): VerifyReport['tables'] {
    return [...this.#counts].map(([name, counts]) => ({ name, ...counts }));
  }

  /** Drift so far, of all tables. */
  get total(): number {
    return [...this.#counts.values()].reduce((sum, { missing, differs, unexpected }) => sum + missing + differs + unexpected, 0);
  }

  #of(table: string): Counts {
    const counts = this.#counts.get(table) ?? { rowsCompared: 0, missing: 0, differs: 0, unexpected: 0, failures: 0 };
    this.#counts.set(table, counts);
    return counts;
  }
}
