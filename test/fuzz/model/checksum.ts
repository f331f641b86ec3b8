// Checksums of a packet that changes: the difference is carried over (RFC 1624), so right stays right and wrong stays as wrong.
import { word } from './headers.ts';

/** The ones' complement difference that some words of a packet make to the sums over them. */
export class Difference {
  #sum = 0;

  /** Writes `length` octets (even) at an even distance from the header that is summed. */
  replace(octets: Uint8Array, at: number, value: Uint8Array): void {
    for (let i = 0; i < value.length; i += 2) this.replaceWord(octets, at + i, (value[i]! << 8) | value[i + 1]!);
  }

  replaceWord(octets: Uint8Array, at: number, value: number): void {
    this.#sum += (~word(octets, at) & 0xffff) + value;
    octets[at] = value >> 8;
    octets[at + 1] = value & 0xff;
  }

  /** What a checksum over these words becomes. Ones' complement has two zeroes; a checksum is written as 0x0000. */
  applyTo(checksum: number): number {
    let sum = (~checksum & 0xffff) + this.#sum;
    while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
    return sum === 0 ? 0 : ~sum & 0xffff;
  }
}

/** UDP's: zero means that there is none, and a sum that comes out as zero is written as 0xffff (RFC 768). */
export function udpChecksum(difference: Difference, before: number): number {
  return before === 0 ? 0 : difference.applyTo(before) || 0xffff;
}

/** Ones' complement sum of 16-bit words from `from` to `to`; an odd last octet is padded with zero. Not folded. */
export function sumOf(octets: Uint8Array, from: number, to: number): number {
  let sum = 0;
  for (let at = from; at + 1 < to; at += 2) sum += (octets[at]! << 8) | octets[at + 1]!;
  return (to - from) & 1 ? sum + (octets[to - 1]! << 8) : sum;
}

export function checksumOf(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000);
  return ~folded & 0xffff;
}

const CRC32C = Uint32Array.from({ length: 256 }, (_, octet) => {
  let remainder = octet;
  for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? 0x82f63b78 : 0);
  return remainder;
});

/**
 * What two SCTP packets of `length` octets that differ in the first four only have between their checksums. A CRC is linear: it is
 * the CRC of the difference, begun with zero, octet after octet (RFC 9260 appendix A).
 */
export function crcDifference(before: Uint8Array, after: Uint8Array, length: number): number {
  let remainder = 0;
  for (let i = 0; i < length; i++) {
    const octet = i < 4 ? before[i]! ^ after[i]! : 0;
    remainder = (remainder >>> 8) ^ CRC32C[(remainder ^ octet) & 0xff]!;
  }
  return remainder >>> 0;
}

export function crc32c(octets: Uint8Array): number {
  let remainder = 0xffffffff;
  for (let i = 0; i < octets.length; i++) remainder = (remainder >>> 8) ^ CRC32C[(remainder ^ octets[i]!) & 0xff]!;
  return ~remainder >>> 0;
}
