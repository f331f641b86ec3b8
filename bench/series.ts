// One row to be, of a benchmark of packets: the same packets in each round, through the harness alone and through the hooks.
import { Outcome, type PacketKernel, type Send } from './packet-kernel.ts';
import type { Measure } from './result.ts';

export type Hooks = Send['hooks'];

export interface Sample {
  readonly packets: number;
  /** Runs in each round, of which the mean counts: where few packets may be sent at once. */
  readonly repeats?: number;
  readonly send: Omit<Send, 'hooks'>;
  /** Outcome of every packet, by how many hooks it went through. */
  readonly expected: (hooks: Hooks) => number;
  /** Before each run, unmeasured. */
  readonly prepare?: (hooks: Hooks) => void;
  /** After a run of the hooks; '' or why the numbers mean nothing. */
  readonly check?: () => string;
  /** After that, and after a run that a signal ended: what the packets have left. */
  readonly undo?: () => void;
}

export class Series {
  readonly #ns = new Map<Hooks, number[]>();
  invalid = '';

  /** One round. */
  take(kernel: PacketKernel, sample: Sample, through: readonly Hooks[] = [0, 2]): void {
    for (const hooks of through) {
      const runs = Array.from({ length: sample.repeats ?? 1 }, () => this.#run(kernel, sample, hooks));
      const mean = runs.reduce((sum, ns) => sum + ns, 0) / runs.length;
      this.#ns.set(hooks, [...(this.#ns.get(hooks) ?? []), mean]);
    }
  }

  #run(kernel: PacketKernel, sample: Sample, hooks: Hooks): number {
    const { packets, send, expected, prepare, check, undo = () => {} } = sample;
    prepare?.(hooks);
    const { nsPerPacket, timedNs, outcomes } = kernel.send(packets, { ...send, hooks }, undo);
    const wanted = hooks === 0 ? Outcome.PASSED : expected(hooks);
    if (outcomes[wanted] !== packets) {
      this.invalid ||= `wanted ${packets} packets of outcome ${wanted}, got ${JSON.stringify(outcomes)}; ${kernel.refusals()}`;
    }
    if (hooks > 0) {
      this.invalid ||= check?.() ?? '';
      undo();
    }
    return send.timed ? timedNs : nsPerPacket;
  }

  get harness(): Measure {
    return { unit: 'ns', values: this.#ns.get(0) ?? [] };
  }

  /** What the hooks add to the harness. */
  cost(hooks: Hooks = 2): Measure {
    const values = this.#ns.get(hooks) ?? [];
    return { unit: 'ns', values: values.map((value, round) => value - this.harness.values[round]!) };
  }
}
