// The packet of a number: at least half are made to match something, of those some are damaged; the rest is strange or noise.
import type { Flow } from '../model/flows.ts';
import { L2 } from '../model/headers.ts';
import type { Hook } from '../model/prediction.ts';
import { Dice } from './dice.ts';
import { type Draft, laterFragment, ofFlow, ofStrangers, toFrontend, toKnownAddress } from './flow-packets.ts';
import { writeIcmpAbout } from './icmp-packets.ts';
import { mutate } from './mutate.ts';
import { IP_MORE, writeEthernet, writePacket } from './write.ts';

export interface TestPacket {
  readonly hook: Hook;
  readonly frame: Uint8Array;
  readonly mark: number;
}

const ROOM = 4096;
const REMEMBERED = 16; // first fragments that later ones may follow

export class PacketMaker {
  readonly #octets = new Uint8Array(ROOM);
  readonly #seed: number;
  readonly #firsts: Draft[] = [];
  readonly #late: Draft[] = []; // first fragments that come after others of their datagram
  readonly #dice: Dice;

  constructor(seed: number) {
    this.#seed = seed;
    this.#dice = new Dice(seed, 0);
  }

  /** Of a round: nothing of the one before is followed up. */
  forget(): void {
    this.#firsts.length = 0;
    this.#late.length = 0;
  }

  /** `mac`: whom packets for us are addressed to. The same number, flows and packets before: the same packet. */
  make(number: number, flows: readonly Flow[], mac: Uint8Array): TestPacket {
    const dice = this.#dice;
    dice.restart(this.#seed, number);
    const mark = dice.chance(70) ? 0 : dice.next();
    const { hook, end } = this.#write(dice, flows);
    const isV4 = this.#octets[L2]! >> 4 === 4;
    writeEthernet(this.#octets, dice.chance(93) ? mac : otherMac(dice), isV4 ? 0x0800 : 0x86dd);
    const length = dice.chance(25) ? mutate(this.#octets, end, dice, number) : end;
    return { hook, frame: this.#octets.slice(0, length), mark };
  }

  #write(dice: Dice, flows: readonly Flow[]): { hook: Hook; end: number } {
    const luck = dice.below(100);
    if (luck < 4) return this.#noise(dice);
    if (luck < 7 && this.#late.length > 0) return this.#send(dice, this.#late.shift()!);
    if (flows.length > 0) {
      if (luck < 16) return writeIcmpAbout(this.#octets, dice, dice.pick(flows));
      if (luck < 64) return this.#draft(dice, ofFlow(dice, dice.pick(flows)));
    }
    if (luck < 69 && this.#firsts.length > 0) return this.#draft(dice, laterFragment(dice, dice.pick(this.#firsts)));
    if (luck < 88) return this.#draft(dice, toFrontend(dice));
    return this.#draft(dice, luck < 95 ? toKnownAddress(dice) : ofStrangers(dice));
  }

  #draft(dice: Dice, draft: Draft): { hook: Hook; end: number } {
    if (draft.shape.fragment === IP_MORE) {
      this.#firsts.push(draft);
      if (this.#firsts.length > REMEMBERED) this.#firsts.shift();
      if (dice.chance(25)) {
        this.#late.push(draft);
        return this.#send(dice, laterFragment(dice, draft));
      }
    }
    return this.#send(dice, draft);
  }

  #send(dice: Dice, draft: Draft): { hook: Hook; end: number } {
    return { hook: draft.hook, end: writePacket(this.#octets, L2, draft, draft.shape, dice) };
  }

  /** Random octets, behind an IP version. */
  #noise(dice: Dice): { hook: Hook; end: number } {
    const end = L2 + 40 + dice.below(160);
    dice.fill(this.#octets, L2, end);
    this.#octets[L2] = dice.chance(50) ? 0x40 | dice.below(16) : 0x60;
    return { hook: dice.chance(50) ? 'ingress' : 'egress', end };
  }
}

function otherMac(dice: Dice): Uint8Array {
  return Uint8Array.from(
    dice.pick([
      [2, 0, 0, 0, 0, 0x99],
      [255, 255, 255, 255, 255, 255],
      [0x33, 0x33, 0, 0, 0, 1],
    ]),
  );
}
