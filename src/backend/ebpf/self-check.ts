// Looks after itself: compares tables and links with what they should be, sends canaries, looks for blind spots. On schedule, spread over
// time, and at once when asked.
import type { VerifyReport } from '../../cli/verify-table.ts';
import type { Logger } from '../../log.ts';
import type { BlindSpot } from './blind-spot-kinds.ts';
import type { CanaryProof } from './canary.ts';
import { CanaryRecord } from './canary-record.ts';
import { DriftRecord } from './drift-record.ts';
import { nearlyFull, type TableFill, TablePressure } from './table-pressure.ts';
import type { VerifiedTable } from './verified-table.ts';
import { compareTable, type Drift, SLICE_ROWS } from './verify.ts';

export interface SelfCheckParts {
  readonly tables: readonly VerifiedTable[];
  /** Tables of the programs: only counted, since nobody knows what should be in them. */
  readonly counts: readonly { count(): Iterable<number> }[];
  /** Looks at all links, in parts: yields how many. */
  readonly links: (onDrift: (drift: Drift) => void) => Iterable<number>;
  /** Looks at the rules in others' chains; resolves with how many. */
  readonly forward: (onDrift: (drift: Drift) => void) => Promise<number>;
  readonly canary: () => Promise<readonly CanaryProof[]>;
  /** Hooks that no canary proves, and why. */
  readonly unproven: readonly { readonly hook: string; readonly detail: string }[];
  readonly blindSpots: () => Promise<readonly BlindSpot[]>;
  readonly fill: () => TableFill;
  /** What the last pass could not write. */
  readonly refused: () => VerifyReport['refused'];
  readonly logger: Logger;
  /** Between the starts of two rounds, and of two canaries; 0: only when asked. */
  readonly periodMs: number;
  readonly now?: () => number; // milliseconds since the epoch
}

/** A slice of rows each: at 10,000 Services with 100,000 endpoints a round takes a minute, and 2 % of a core meanwhile. */
const SLICE_PAUSE_MS = 25;
/** Links are few and matter at once: each is looked at this often at least. */
const LINKS_MS = 5000;
/** Blind spots take some processes and change rarely. */
const BLIND_SPOT_PERIODS = 10;
const FIRST_BLIND_SPOTS_MS = 10_000;

/**
 * Invariant: at most one look at blind spots and one canary is under way; rounds may overlap, since each row is compared and put right
 * without a pause.
 */
export class SelfCheck {
  readonly #parts: SelfCheckParts;
  readonly #now: () => number;
  readonly #drift: DriftRecord;
  readonly #canaries: CanaryRecord;
  readonly #pressure: TablePressure;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #told = new Set<string>(); // blind spots
  #isClosed = false;
  #rounds = 0;
  #lastRound: VerifyReport['lastRound'] = null;
  #blindSpots: readonly BlindSpot[] | null = null;
  #looking: Promise<void> | null = null;
  #flying: Promise<void> | null = null;
  #running: Promise<VerifyReport> | null = null;
  #waiting: Promise<VerifyReport> | null = null;

  constructor(parts: SelfCheckParts) {
    this.#parts = parts;
    this.#now = parts.now ?? Date.now;
    this.#drift = new DriftRecord(parts.logger, this.#now);
    this.#canaries = new CanaryRecord(parts.logger);
    this.#pressure = new TablePressure(parts.logger);
    for (const { hook, detail } of parts.unproven) this.#canaries.unproven(hook, detail);
  }

  /** To be called once everything is programmed for the first time. */
  start(): void {
    const { periodMs } = this.#parts;
    if (periodMs === 0) return;
    const linksMs = Math.min(LINKS_MS, periodMs);
    this.#repeat(linksMs, linksMs, async () => {
      await this.#checkLinks();
      this.#pressure.look(this.#parts.fill());
    });
    this.#repeat(periodMs, periodMs, () => this.#round(SLICE_PAUSE_MS));
    this.#repeat(0, periodMs, () => this.#canary());
    const blindMs = BLIND_SPOT_PERIODS * periodMs;
    this.#repeat(Math.min(FIRST_BLIND_SPOTS_MS, blindMs), blindMs, () => this.#look());
  }

  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  /** Everything now, without pauses but for others to run. Who asks meanwhile shares the next run with all others who do. */
  run(): Promise<VerifyReport> {
    if (!this.#running) return this.#begin();
    this.#waiting ??= this.#running
      .catch(() => {})
      .then(() => {
        this.#waiting = null;
        return this.#begin();
      });
    return this.#waiting;
  }

  #begin(): Promise<VerifyReport> {
    this.#running = this.#run().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #run(): Promise<VerifyReport> {
    const before = this.#drift.total;
    await this.#canary();
    await this.#round(0);
    await this.#look();
    const report = this.report();
    // What a failing canary had put right belongs to it too.
    return { ...report, lastRound: report.lastRound && { ...report.lastRound, drift: this.#drift.total - before } };
  }

  report(): VerifyReport {
    return {
      rounds: this.#rounds,
      lastRound: this.#lastRound,
      tables: this.#drift.tables(),
      recentDrift: this.#drift.recent,
      canaries: this.#canaries.list(),
      blindSpots: this.#blindSpots,
      refused: this.#parts.refused(),
      nearlyFull: nearlyFull(this.#parts.fill()),
    };
  }

  /** `first` ms from now, then again `period` ms after each start, but not before it has ended. */
  #repeat(firstMs: number, periodMs: number, work: () => Promise<void>): void {
    if (this.#isClosed) return;
    const timer = setTimeout(async () => {
      this.#timers.delete(timer);
      const startMs = performance.now();
      try {
        await work();
      } catch (error) {
        if (this.#isClosed) return; // what it looked at is closed too
        this.#parts.logger.error('Self-verification failed; it is tried again', { err: error });
      }
      this.#repeat(Math.max(0, periodMs - (performance.now() - startMs)), periodMs, work);
    }, firstMs);
    this.#timers.add(timer.unref());
  }

  async #round(pauseMs: number): Promise<void> {
    const startMs = performance.now();
    let rowsCompared = 0;
    let drift = 0;
    const note = (one: Drift): void => {
      drift++;
      this.#drift.note(one);
    };
    await this.#checkLinks(note);
    if (!this.#isClosed) this.#drift.compared('forward', await this.#parts.forward(note));
    if (this.#isClosed) return;
    let sincePause = 0;
    for (const { rows, table } of this.#slices(note)) {
      if (table !== '') this.#drift.compared(table, rows);
      if (table !== '') rowsCompared += rows;
      sincePause += rows;
      if (sincePause < SLICE_ROWS) continue; // short tables share a slice
      sincePause = 0;
      await pause(pauseMs);
      if (this.#isClosed) return;
    }
    this.#drift.roundEnded();
    this.#rounds++;
    this.#lastRound = {
      endedAt: new Date(this.#now()).toISOString(),
      durationMs: Math.round(performance.now() - startMs),
      rowsCompared,
      drift,
    };
  }

  *#slices(note: (drift: Drift) => void): Generator<{ rows: number; table: string }> {
    for (const table of this.#parts.tables) for (const rows of compareTable(table, note)) yield { rows, table: table.name };
    for (const one of this.#parts.counts) for (const rows of one.count()) yield { rows, table: '' };
  }

  async #checkLinks(onDrift: (drift: Drift) => void = (drift) => this.#drift.note(drift)): Promise<void> {
    for (const places of this.#parts.links(onDrift)) {
      this.#drift.compared('links', places);
      await pause(0);
      if (this.#isClosed) return;
    }
  }

  #canary(): Promise<void> {
    this.#flying ??= this.#sendCanary().finally(() => {
      this.#flying = null;
    });
    return this.#flying;
  }

  /** One that fails has the links looked at, and gets a second try: what a lost link broke is mended then, and stays counted. */
  async #sendCanary(): Promise<void> {
    const { canary } = this.#parts;
    const send = async (): Promise<boolean> => {
      const proofs = await canary();
      if (this.#isClosed) return true; // its listeners went while it was under way
      for (const proof of proofs) this.#canaries.note(proof);
      return proofs.every(({ failure }) => failure === '');
    };
    if (await send()) return;
    await this.#checkLinks();
    if (!this.#isClosed) await send();
  }

  #look(): Promise<void> {
    this.#looking ??= this.#lookForBlindSpots().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  /** Each kind is told once for as long as it is there. */
  async #lookForBlindSpots(): Promise<void> {
    const spots = await this.#parts.blindSpots();
    this.#blindSpots = spots;
    const kinds = new Set<string>(spots.map(({ kind }) => kind));
    for (const kind of this.#told) if (!kinds.has(kind)) this.#told.delete(kind);
    for (const { kind, count, found, consequence, advice } of spots) {
      if (this.#told.has(kind)) continue;
      this.#told.add(kind);
      this.#parts.logger.warn('Blind spot', { kind, count, found: found[0], consequence, advice });
    }
  }
}

const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    if (ms === 0) setImmediate(resolve);
    else setTimeout(resolve, ms).unref();
  });
