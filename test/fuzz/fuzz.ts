// Sends numbered packets through programs and model and compares. Packets come in rounds that know nothing of each other, so that any
// packet can be sent again by repeating its round so far.
import { execFileSync } from 'node:child_process';
import { readCounters } from '../../src/backend/ebpf/counters.ts';
import { Coverage } from './coverage.ts';
import { type Difference, describeDifference } from './difference.ts';
import { isTooShortToRun } from './model/headers.ts';
import { Dice } from './packets/dice.ts';
import { PacketMaker } from './packets/packet-maker.ts';
import { WORLDS, World } from './world.ts';

export const ROUND = 10_000;
/** Services change so often; endpoints that leave meet the flows that they have. */
const CHANGE = 2_500;
/** The programs' counters are compared after so many packets: reading them takes longer than sending some. */
const COUNTED = 1_000;

export interface FuzzOptions {
  readonly seed: number;
  readonly object: string;
}

type Counts = Map<string, number>;

export class Fuzz {
  readonly coverage = new Coverage();
  readonly #worlds: readonly World[];
  readonly #maker: PacketMaker;
  readonly #seed: number;

  private constructor(worlds: readonly World[], seed: number) {
    this.#worlds = worlds;
    this.#maker = new PacketMaker(seed);
    this.#seed = seed;
  }

  /** In a network namespace of its own. Its loopback device is the one that all packets pass, and copies of those that waited. */
  static async load({ seed, object }: FuzzOptions): Promise<Fuzz> {
    execFileSync('ip', ['link', 'set', 'lo', 'up']);
    const worlds: World[] = [];
    for (let index = 0; index < WORLDS; index++) worlds.push(await World.load(object, index));
    return new Fuzz(worlds, seed);
  }

  /** Packets 0 to count - 1, until one differs. `onRound` hears how many are done. */
  run(count: number, onRound: (done: number) => void = () => {}): Difference | null {
    for (let first = 0; first < count; first += ROUND) {
      const end = Math.min(count, first + ROUND);
      const failed = this.#round(first, end, false);
      // The counters tell only that some packet was counted otherwise: each one's are read now.
      if (failed) return this.replay(failed.packet, failed.from) ?? failed.difference ?? noLonger(failed.packet);
      onRound(end);
    }
    return null;
  }

  /** The packet once more, with what led to it and with reasons; the first difference from `from` on. */
  replay(packet: number, from = packet): Difference | null {
    const first = packet - (packet % ROUND);
    const failed = this.#round(first, packet + 1, true, from);
    return failed?.difference ?? null;
  }

  /** What came of the packet, whether it differs or not. */
  explain(packet: number): Difference {
    const first = packet - (packet % ROUND);
    this.#round(first, packet, false);
    const world = this.#worldOf(first);
    this.#changeBefore(world, packet, first);
    return (
      this.#one(world, packet, true, null).difference ?? { packet, isEqual: true, text: `packet ${packet} is too short to run` }
    );
  }

  #worldOf = (packet: number): World => this.#worlds[Math.floor(packet / ROUND) % WORLDS]!;

  #changeBefore(world: World, packet: number, first: number): void {
    if (packet > first && packet % CHANGE === 0) world.changeServices(this.#seed, packet);
  }

  #round(
    first: number,
    end: number,
    isFine: boolean,
    fineFrom = first,
  ): { packet: number; from: number; difference: Difference | null } | null {
    const world = this.#worldOf(first);
    world.beginRound(this.#seed, first / ROUND);
    this.#maker.forget();
    let counted = countersOf(world);
    let since = first;
    const predicted: Counts = new Map();
    for (let packet = first; packet < end; packet++) {
      this.#changeBefore(world, packet, first);
      const isAsked = isFine && packet >= fineFrom;
      if (isAsked && packet === fineFrom) {
        predicted.clear();
        counted = countersOf(world);
      }
      const { isEqual, difference } = this.#one(world, packet, isAsked, isFine ? null : predicted, isAsked ? counted : null);
      if (!isEqual) return { packet, from: packet, difference };
      if (isAsked) counted = countersOf(world);
      if (isFine || ((packet + 1) % COUNTED !== 0 && packet + 1 < end)) continue;
      const now = countersOf(world);
      if (!isSame(predicted, counted, now)) return { packet, from: since, difference: null };
      [counted, since] = [now, packet + 1];
      predicted.clear();
    }
    return null;
  }

  /** `asks`: with reasons, and its counters compared with those before (when there are some). */
  #one(
    world: World,
    number: number,
    asks: boolean,
    predicted: Counts | null,
    before: Counts | null = null,
  ): { isEqual: boolean; difference: Difference | null } {
    const { model } = world;
    const { hook, frame, mark } = this.#maker.make(number, model.flows.all, world.mac);
    if (isTooShortToRun(frame)) {
      this.coverage.add(hook, frame, 'not run', false);
      return { isEqual: true, difference: null };
    }
    const counters = before ?? (asks ? countersOf(world) : null);
    const observed = world.run(hook, frame, mark, new Dice(this.#seed, number, 3).next());
    model.wantsReasons = asks;
    const { prediction, passage } = model.predict(hook, frame, mark, observed);
    if (!asks) this.coverage.add(hook, frame, prediction.outcome, passage.isMatched, passage.also);
    if (predicted) for (const name of passage.counted) predicted.set(name, (predicted.get(name) ?? 0) + 1);
    const isDropped = prediction.octets === null;
    let isEqual =
      observed.verdict === prediction.verdict &&
      (isDropped || (observed.mark === prediction.mark && Buffer.compare(observed.packet, prediction.octets!) === 0));
    if (!asks) return { isEqual, difference: null };
    const got = differenceOf(counters!, countersOf(world));
    isEqual &&= isSame(countsOf(passage.counted), new Map(), got);
    const sent = { seed: this.#seed, number, hook, frame, mark };
    return { isEqual, difference: describeDifference(sent, { prediction, passage }, observed, got, isEqual) };
  }

  close(): void {
    for (const world of this.#worlds) world.close();
  }
}

function noLonger(packet: number): Difference {
  return {
    packet,
    isEqual: false,
    text: `packet ${packet} or one before it differed, and does so no longer when it is sent again`,
  };
}

function countersOf({ datapath }: World): Counts {
  const { events, drops } = readCounters(datapath.map('counters'));
  return new Map([...Object.entries(events), ...Object.entries(drops).map(([name, value]) => [`drop_${name}`, value] as const)]);
}

function countsOf(names: readonly string[]): Counts {
  const counts: Counts = new Map();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

function differenceOf(before: Counts, after: Counts): Counts {
  return new Map(
    [...after].map(([name, value]) => [name, value - (before.get(name) ?? 0)] as const).filter(([, value]) => value > 0),
  );
}

/** Has every counter moved by what was predicted? */
function isSame(predicted: Counts, before: Counts, after: Counts): boolean {
  const names = new Set([...predicted.keys(), ...before.keys(), ...after.keys()]);
  return [...names].every((name) => (after.get(name) ?? 0) - (before.get(name) ?? 0) === (predicted.get(name) ?? 0));
}
