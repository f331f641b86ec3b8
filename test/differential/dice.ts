// Random choices that a seed repeats exactly: fast-check's generator, without its preference for the ends of a range.
import fc from 'fast-check';

const even = (min: number, max: number): fc.Arbitrary<number> => fc.noBias(fc.integer({ min, max }));

export class Dice {
  readonly #draw: (arbitrary: typeof even, min: number, max: number) => number;

  constructor(seed: number) {
    const [draw] = fc.sample(fc.gen(), { seed, numRuns: 1 });
    if (!draw) throw new Error('fast-check gave no generator');
    this.#draw = draw;
  }

  /** A whole number from min to max, both included. */
  between(min: number, max: number): number {
    return this.#draw(even, min, max);
  }

  /** True this many times in a hundred. */
  chance(percent: number): boolean {
    return this.between(1, 100) <= percent;
  }

  pick<T>(list: readonly T[]): T {
    if (list.length === 0) throw new Error('nothing to pick from');
    return list[this.between(0, list.length - 1)] as T;
  }

  /** So many different ones, in random order; all of them when there are not so many. */
  some<T>(list: readonly T[], count: number): T[] {
    const left = [...list];
    const picked: T[] = [];
    while (picked.length < count && left.length > 0) picked.push(...left.splice(this.between(0, left.length - 1), 1));
    return picked;
  }
}
