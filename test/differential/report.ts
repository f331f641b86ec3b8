// What is told: a line for each round, a disagreement with everything that is needed to understand it, the sum at the end.
import { outcomeText } from './compare.ts';
import { DIFFERENCES, type Difference } from './differences.ts';
import type { Objects } from './objects.ts';
import { type Probe, probeText, type Seen } from './probe.ts';

export class Report {
  agreed = 0;
  disagreed = 0;
  #late = 0;
  readonly #uses = new Map<Difference, number>();
  readonly #replay: (round: number) => string;

  constructor(replay: (round: number) => string) {
    this.#replay = replay;
  }

  get byDesign(): number {
    return [...this.#uses.values()].reduce((sum, count) => sum + count, 0);
  }

  use(difference: Difference): void {
    this.#uses.set(difference, (this.#uses.get(difference) ?? 0) + 1);
  }

  /**
   * A silence that was none at the second look: a refusal that meets connect() at work is heard at the second SYN only (IPv6 in
   * kube-proxy's world, mostly), and a busy machine is late. Turnout's are named, as they are rare.
   */
  wasLate(round: number, probe: Probe, isTurnout: boolean, what = ''): void {
    this.#late++;
    if (isTurnout) console.log(`late in round ${round}, turnout: ${what}${probeText(probe)}`);
  }

  outcomes(round: number, what: string, probe: Probe, reference: Seen, turnout: Seen, objects: Objects): void {
    this.disagreement(round, `${what}${probeText(probe)}`, outcomeText(reference), outcomeText(turnout), probe, objects);
  }

  disagreement(round: number, what: string, reference: string, turnout: string, probe: Probe, objects: Objects): void {
    this.disagreed++;
    const service = objects.services.get(probe.service);
    const lines = [
      `DISAGREE round ${round}: ${what}`,
      `  kube-proxy: ${reference}`,
      `  turnout:    ${turnout}`,
      `  again:      ${this.#replay(round)}`,
      `  node zone:  ${objects.zone || 'none'}`,
      ...(service ? [`  service:    ${JSON.stringify(service)}`] : []),
      ...(objects.slices.get(probe.service) ?? []).map((slice) => `  slice:      ${JSON.stringify(slice)}`),
    ];
    console.log(lines.join('\n'));
  }

  /** Prints the sum; true when all is well. */
  close(rounds: number): boolean {
    for (const difference of DIFFERENCES) {
      const count = this.#uses.get(difference) ?? 0;
      console.log(count > 0 ? `by design, ${count}: ${difference.name} (${difference.reason})` : `not met: ${difference.name}`);
    }
    if (this.#late > 0) console.log(`${this.#late} probes met a silence at first, and an answer or a refusal when asked again`);
    console.log(
      `${this.agreed} probes in ${rounds} rounds agreed, ${this.byDesign} differences by design, ${this.disagreed} disagreements`,
    );
    return this.disagreed === 0 && this.agreed > 0;
  }
}
