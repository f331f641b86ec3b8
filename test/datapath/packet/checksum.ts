// The Internet checksum (RFC 1071) and the pseudo headers under it.
import { parseIp } from '../../../src/state/ip.ts';

/** Ones' complement sum of big-endian words, not complemented; an odd last octet is padded with zero. */
export function sumOf(octets: Uint8Array, start = 0): number {
  let sum = start;
  for (let at = 0; at < octets.length; at += 2) sum += ((octets[at] ?? 0) << 8) | (octets[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

export const checksumOf = (octets: Uint8Array, start = 0): number => ~sumOf(octets, start) & 0xffff;

/** Octets of an address: 4 or 16. */
export function addressOctets(address: string): Uint8Array {
  const octets = parseIp(address);
  if (!octets) throw new Error(`not an address: ${address}`);
  return address.includes(':') ? octets : octets.subarray(12);
}

/** Sum over the pseudo header: addresses, protocol and length. The same sum serves RFC 768, RFC 9293 and RFC 8200. */
export function pseudoHeaderSum(source: string, destination: string, protocol: number, length: number): number {
  return sumOf(addressOctets(destination), sumOf(addressOctets(source), protocol + length));
}
