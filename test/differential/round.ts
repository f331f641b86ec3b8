// One round: the probes of both worlds side by side, a second look where they differ, and what is said about it.
import { familyOf } from './addresses.ts';
import { Ties } from './affinity.ts';
import { agree, isTied, settled } from './compare.ts';
import { type Difference, findDifference, findHeldDifference, type HeldCase } from './differences.ts';
import { HeldConnections } from './held.ts';
import type { Objects } from './objects.ts';
import type { Options } from './options.ts';
import { freshClients } from './plan.ts';
import { type Probe, probeText, type Seen, send, triesFor } from './probe.ts';
import type { Report } from './report.ts';
import type { World } from './world.ts';

const AT_ONCE = 16;
const TIMEOUT_MS = 500;
const PATIENT_TIMEOUT_MS = 3000;
const CERTAINTY = 6;
const SECOND_CERTAINTY = 14;
const HELD_EACH_ROUND = 2;

type Pair = [Seen, Seen]; // kube-proxy's world, Turnout's

export class Rounds {
  readonly #worlds: readonly [World, World];
  readonly #asked: Options;
  readonly #report: Report;
  readonly #ties: readonly [Ties, Ties] = [new Ties(), new Ties()];
  readonly #held = new HeldConnections();

  constructor(worlds: readonly [World, World], asked: Options, report: Report) {
    this.#worlds = worlds;
    this.#asked = asked;
    this.#report = report;
  }

  /** To be called after each change, also in rounds without probes. */
  change(objects: Objects): void {
    for (const ties of this.#ties) ties.change(objects);
  }

  async probe(round: number, objects: Objects, probes: readonly Probe[], isHolding: boolean): Promise<void> {
    await this.#held.check(
      this.#worlds,
      objects,
      round,
      (held, one) => this.#judgeHeld(round, held.since, { ...one, socketPath: this.#asked.socketPath }, objects),
      ({ probe, since }) => {
        this.#report.wasLate(round, probe, true, `held since round ${since}, drops so far ${this.#worlds[1].drops()}: `);
      },
    );
    const holdable: Probe[] = [];
    await inLanes(lanesOf(probes), async (probe) => {
      const isAgreed = await this.#judge(round, objects, probe);
      if (isAgreed && probe.spread.length === 0 && probe.protocol !== 'SCTP' && probe.kind !== 'loopback') holdable.push(probe);
    });
    if (!isHolding) return;
    // In the order of the plan, so that a seed holds the same ones.
    const some = probes.filter((probe) => holdable.includes(probe)).slice(0, HELD_EACH_ROUND);
    for (const probe of some) await this.#held.open(this.#worlds, probe, round);
  }

  async #send(probe: Probe, timeoutMs: number, certainty: number): Promise<Pair> {
    const [reference, turnout] = await Promise.all(this.#worlds.map(({ network }) => send(network, probe, timeoutMs, certainty)));
    return [reference!, turnout!];
  }

  /** True when both answered, and the same. */
  async #judge(round: number, objects: Objects, probe: Probe): Promise<boolean> {
    let [reference, turnout] = await this.#send(probe, TIMEOUT_MS, CERTAINTY);
    if (!agree(probe, reference, turnout) && !this.#isByDesign(probe, reference, turnout)) {
      const patient = probe.spread.length === 0 ? probe : { ...probe, spread: moreClients(probe) };
      const again = await this.#send(patient, PATIENT_TIMEOUT_MS, SECOND_CERTAINTY);
      const before = [reference, turnout];
      [reference, turnout] = [settled(reference, again[0]), settled(turnout, again[1])];
      const isLate = [reference, turnout].map((seen, i) => before[i]!.errors.has('dropped') && !seen.errors.has('dropped'));
      if (isLate.includes(true)) this.#report.wasLate(round, probe, isLate[1] === true);
    }
    const isAgreed = agree(probe, reference, turnout);
    const row = isAgreed ? undefined : this.#isByDesign(probe, reference, turnout);
    if (isAgreed) this.#report.agreed++;
    else if (row) this.#report.use(row);
    else this.#report.outcomes(round, '', probe, reference, turnout, objects);
    if (isTied(probe) && !row) this.#judgeTie(round, objects, probe, reference, turnout);
    return isAgreed && reference.answers.size > 0 && reference.errors.size === 0;
  }

  #isByDesign(probe: Probe, reference: Seen, turnout: Seen): Difference | undefined {
    return findDifference({ mode: this.#asked.mode, socketPath: this.#asked.socketPath, probe, reference, turnout });
  }

  #judgeTie(round: number, objects: Objects, probe: Probe, reference: Seen, turnout: Seen): void {
    const stays = [reference, turnout].map((seen, i) => this.#ties[i]!.stays(objects, probe, seen));
    const [byReference, byTurnout] = stays;
    if (byReference !== false && byTurnout !== false) return;
    if (byReference === false && byTurnout === false) return;
    this.#report.outcomes(
      round,
      `the client's endpoint changed in one world (kube-proxy kept: ${byReference}, turnout kept: ${byTurnout}): `,
      probe,
      reference,
      turnout,
      objects,
    );
  }

  #judgeHeld(round: number, since: number, one: HeldCase, objects: Objects): void {
    const { probe, reference, turnout } = one;
    const row = reference === turnout ? undefined : findHeldDifference(one);
    if (reference === turnout) this.#report.agreed++;
    else if (row) this.#report.use(row);
    else this.#report.disagreement(round, `held since round ${since}: ${probeText(probe)}`, reference, turnout, probe, objects);
  }
}

function moreClients({ spread, mostEndpoints, to }: Probe): string[] {
  const network = /^(100\.65|2001:db8:c1)/.test(spread[0] ?? '') ? 1 : 0;
  return freshClients(network, familyOf(to), triesFor(mostEndpoints, SECOND_CERTAINTY));
}

/** Probes of one client that affinity ties are sent one after the other; all others need not wait for each other. */
function lanesOf(probes: readonly Probe[]): Probe[][] {
  const lanes = new Map<string, Probe[]>();
  for (const [i, probe] of probes.entries()) {
    const { service, portName, protocol, to, from } = probe;
    const key = isTied(probe) ? [service, portName, protocol, familyOf(to), from].join() : String(i);
    lanes.set(key, [...(lanes.get(key) ?? []), probe]);
  }
  return [...lanes.values()];
}

async function inLanes(lanes: readonly Probe[][], run: (probe: Probe) => Promise<void>): Promise<void> {
  const queue = [...lanes];
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let lane = queue.shift(); lane; lane = queue.shift()) for (const probe of lane) await run(probe);
    }),
  );
}
