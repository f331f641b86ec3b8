// Damage: a frame that was well made becomes one that is cut, padded, or says something else than it should.
import { L2 } from '../model/headers.ts';
import type { Dice } from './dice.ts';

/** Changes the frame in place; its new length. `number` goes through all lengths in turn, so that each is met. */
export function mutate(octets: Uint8Array, length: number, dice: Dice, number: number): number {
  const isV4 = octets[12] === 0x08;
  const header = isV4 ? 20 : 40;
  const cutTo = L2 + header + (number % Math.max(1, length - L2 - header));
  switch (dice.below(12)) {
    case 0:
    case 1:
      return Math.min(length, cutTo);
    case 2: {
      const padded = length + 1 + dice.below(64);
      dice.fill(octets, length, padded);
      return padded;
    }
    case 3: // version, header length
      octets[L2] = dice.chance(50) ? (octets[L2]! & 0xf0) | dice.below(16) : (octets[L2]! & 0x0f) | (dice.below(16) << 4);
      return length;
    case 4: // total length, payload length
      octets[L2 + (isV4 ? 2 : 4)] = dice.chance(70) ? 0 : dice.below(256);
      octets[L2 + (isV4 ? 3 : 5)] = dice.below(256);
      return length;
    case 5: // protocol, next header
      octets[L2 + (isV4 ? 9 : 6)] = dice.chance(60) ? dice.pick([0, 1, 6, 17, 43, 44, 58, 60, 132]) : dice.below(256);
      return length;
    case 6: // fragments and checksum of IPv4; the first octets of what follows an IPv6 header
      dice.fill(octets, L2 + (isV4 ? 6 : 40), L2 + (isV4 ? 8 : 42));
      return length;
    case 7: // the IPv4 header's checksum; the hop limit
      dice.fill(octets, L2 + (isV4 ? 10 : 7), L2 + (isV4 ? 12 : 8));
      return length;
    case 8: // the ethertype
      octets[12] = dice.pick([0x08, 0x86, 0x81, dice.below(256)]);
      octets[13] = dice.pick([0x00, 0xdd, 0x06, dice.below(256)]);
      return length;
    default: {
      // Some octet of the headers, or some bit.
      const times = 1 + dice.below(3);
      for (let i = 0; i < times; i++) {
        const at = L2 + dice.below(Math.min(length - L2, header + 40));
        octets[at] = dice.chance(50) ? dice.below(256) : octets[at]! ^ (1 << dice.below(8));
      }
      return length;
    }
  }
}
