// Ends silent flows: runs flow_expire over the table, a part at a time, so that each part of it is looked at every few seconds.
import { LB_EXPIRE_SIZE, readExpire, writeExpire } from '../../datapath/layout.gen.ts';
import type { Logger } from '../../log.ts';
import type { BpfProgram } from '../../native/bpf-program.ts';

/** A whole pass over the table takes this long at most, in STEPS parts. */
const PASS_MS = 4000;
const STEPS = 16;

export class FlowExpiry {
  readonly #program: BpfProgram;
  readonly #rows: number;
  readonly #logger: Logger;
  #timer: NodeJS.Timeout | null = null;
  #first = 0;
  #inUse = 0;
  #inUseSoFar = 0;

  constructor(program: BpfProgram, rows: number, logger: Logger) {
    this.#program = program;
    this.#rows = rows;
    this.#logger = logger;
  }

  /** Flows alive, as of the last full pass. */
  get inUse(): number {
    return this.#inUse;
  }

  start(): void {
    this.#timer = setTimeout(() => void this.#step(), PASS_MS / STEPS);
    this.#timer.unref();
  }

  close(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  async #step(): Promise<void> {
    const count = Math.ceil(this.#rows / STEPS);
    const context = new Uint8Array(LB_EXPIRE_SIZE);
    writeExpire(context, 0, { first: this.#first, count: Math.min(count, this.#rows - this.#first), inUse: 0, expired: 0 });
    try {
      const result = readExpire((await this.#program.testRunAsync({ context })).context);
      this.#inUseSoFar += result.inUse;
      this.#first += count;
      if (this.#first >= this.#rows) {
        this.#inUse = this.#inUseSoFar;
        this.#first = this.#inUseSoFar = 0;
      }
    } catch (error) {
      if (this.#timer) this.#logger.error('Expiry of flows failed; it is tried again', { err: error });
    }
    if (this.#timer) this.start();
  }
}
