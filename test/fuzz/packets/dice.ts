// Random numbers of one packet: they follow from the seed and the packet's number alone, whatever was drawn before.
export class Dice {
  #state = 0;
  /** The packet's. */
  number = 0;

  constructor(seed: number, number: number, purpose = 0) {
    this.restart(seed, number, purpose);
  }

  restart(seed: number, number: number, purpose = 0): void {
    this.number = number;
    this.#state = mixed(mixed(mixed(seed >>> 0) ^ (number >>> 0)) ^ (purpose >>> 0));
  }

  /** 32 bits. */
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    return mixed(this.#state);
  }

  /** From 0 to bound - 1. */
  below(bound: number): number {
    return Math.floor((this.next() / 0x1_0000_0000) * bound);
  }

  /** True this many times in a hundred. */
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  fill(octets: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to; at++) octets[at] = this.next() & 0xff;
  }
}

/** The last step of MurmurHash3: each bit of the input moves half of the output's. */
function mixed(value: number): number {
  let x = value ^ (value >>> 16);
  x = Math.imul(x, 0x85ebca6b);
  x ^= x >>> 13;
  x = Math.imul(x, 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
