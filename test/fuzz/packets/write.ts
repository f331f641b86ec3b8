// From what a packet is meant to be to octets. Fast rather than pretty: a million of them are written.
import { putAddress } from '../model/address.ts';
import { checksumOf, crc32c, sumOf } from '../model/checksum.ts';
import type { Tuple } from '../model/flows.ts';
import { L2, PROTOCOL } from '../model/headers.ts';
import type { Dice } from './dice.ts';

export interface Ip extends Tuple {
  readonly isV4: boolean;
  readonly protocol: number;
}

export interface Shape {
  flags: number; // TCP
  chunk: number; // SCTP
  payload: number; // octets behind the layer 4 header
  id: number;
  /** IPv4: flags and offset as they lie in the header. IPv6: the same bits in a fragment header, if not 0. */
  fragment: number;
  optionWords: number; // IPv4
  /** IPv6: types of extension headers in front. */
  extensions: readonly number[];
  checksum: 'right' | 'wrong' | 'zero';
}

export const plainShape = (): Shape => ({
  ...{ flags: 0, chunk: 0, payload: 0, id: 0, fragment: 0, optionWords: 0, extensions: [], checksum: 'right' },
});

export const IP_MORE = 0x2000;
const V6_MORE = 1;

/** Writes IP header, layer 4 header and payload; the end. `body` writes what follows the IP header and gives its end. */
export function writeIp(
  octets: Uint8Array,
  ip: number,
  { isV4, source, destination, protocol }: Omit<Ip, 'sourcePort' | 'destinationPort'>,
  shape: Shape,
  dice: Dice,
  body: (at: number) => number,
): number {
  const view = new DataView(octets.buffer, octets.byteOffset);
  if (isV4) {
    const length = 20 + shape.optionWords * 4;
    octets[ip] = 0x40 | (length / 4);
    octets[ip + 1] = 0;
    view.setUint16(ip + 4, shape.id);
    view.setUint16(ip + 6, shape.fragment);
    octets[ip + 8] = 64;
    octets[ip + 9] = protocol;
    putAddress(octets, ip + 12, source, true);
    putAddress(octets, ip + 16, destination, true);
    dice.fill(octets, ip + 20, ip + length);
    const end = body(ip + length);
    view.setUint16(ip + 2, end - ip);
    view.setUint16(ip + 10, 0);
    view.setUint16(ip + 10, checksumOf(sumOf(octets, ip, ip + length)));
    return end;
  }
  view.setUint32(ip, 0x60000000);
  octets[ip + 7] = 64;
  putAddress(octets, ip + 8, source, false);
  putAddress(octets, ip + 24, destination, false);
  let next = ip + 6;
  let at = ip + 40;
  const extensions = shape.fragment ? [...shape.extensions, PROTOCOL.fragment] : shape.extensions;
  for (const type of extensions) {
    octets[next] = type;
    next = at;
    if (type === PROTOCOL.fragment) {
      const isMore = (shape.fragment & IP_MORE) !== 0;
      octets[at + 1] = 0;
      view.setUint16(at + 2, ((shape.fragment & 0x1fff) << 3) | (isMore ? V6_MORE : 0));
      view.setUint32(at + 4, shape.id);
      at += 8;
    } else {
      const units = dice.chance(80) ? 0 : dice.below(4);
      octets[at + 1] = units;
      dice.fill(octets, at + 2, at + 8 + units * 8);
      at += 8 + units * 8;
    }
  }
  octets[next] = protocol;
  const end = body(at);
  view.setUint16(ip + 4, end - ip - 40);
  return end;
}

/** A TCP, UDP or SCTP packet. A later fragment has random octets instead of a header. */
export function writePacket(octets: Uint8Array, ip: number, what: Ip, shape: Shape, dice: Dice): number {
  return writeIp(octets, ip, what, shape, dice, (l4) => writeLayer4(octets, l4, ip, what, shape, dice));
}

function writeLayer4(octets: Uint8Array, l4: number, ip: number, what: Ip, shape: Shape, dice: Dice): number {
  const { protocol, isV4 } = what;
  if ((shape.fragment & 0x1fff) !== 0) {
    dice.fill(octets, l4, l4 + shape.payload);
    return l4 + shape.payload;
  }
  const view = new DataView(octets.buffer, octets.byteOffset);
  const header = protocol === PROTOCOL.tcp ? 20 : protocol === PROTOCOL.udp ? 8 : 16;
  const end = l4 + header + shape.payload;
  dice.fill(octets, l4 + 4, end);
  view.setUint16(l4, what.sourcePort);
  view.setUint16(l4 + 2, what.destinationPort);
  if (protocol === PROTOCOL.sctp) {
    octets[l4 + 12] = shape.chunk;
    view.setUint16(l4 + 14, end - l4 - 12);
    view.setUint32(l4 + 8, 0);
    if (shape.checksum !== 'zero')
      view.setUint32(l4 + 8, crc32c(octets.subarray(l4, end)) ^ (shape.checksum === 'wrong' ? 1 + dice.below(9999) : 0), true);
    return end;
  }
  const field = l4 + (protocol === PROTOCOL.tcp ? 16 : 6);
  if (protocol === PROTOCOL.tcp) {
    octets[l4 + 12] = 0x50;
    octets[l4 + 13] = shape.flags;
  } else view.setUint16(l4 + 4, end - l4);
  view.setUint16(field, 0);
  const addresses = isV4 ? sumOf(octets, ip + 12, ip + 20) : sumOf(octets, ip + 8, ip + 40);
  const right = checksumOf(addresses + protocol + (end - l4) + sumOf(octets, l4, end));
  if (shape.checksum === 'wrong') view.setUint16(field, dice.chance(20) ? 0xffff : dice.below(0x10000));
  else if (shape.checksum === 'right') view.setUint16(field, protocol === PROTOCOL.udp ? right || 0xffff : right);
  return end;
}

/** The header of an ICMP message whose octets from icmp + 8 to `end` are there: type, code, checksum, rest. */
export function finishIcmp(
  octets: Uint8Array,
  ip: number,
  icmp: number,
  end: number,
  isV4: boolean,
  type: number,
  code: number,
  error = 0,
): void {
  octets[icmp] = type;
  octets[icmp + 1] = code;
  octets[icmp + 2] = octets[icmp + 3] = 0;
  const pseudoHeader = isV4 ? 0 : sumOf(octets, ip + 8, ip + 40) + PROTOCOL.icmpv6 + (end - icmp);
  const checksum = checksumOf(pseudoHeader + sumOf(octets, icmp, end)) ^ error;
  octets[icmp + 2] = checksum >> 8;
  octets[icmp + 3] = checksum & 0xff;
}

export function writeEthernet(octets: Uint8Array, destination: Uint8Array, type: number): void {
  octets.set(destination, 0);
  octets.set([2, 0, 0, 0, 0, 2], 6);
  octets[L2 - 2] = type >> 8;
  octets[L2 - 1] = type & 0xff;
}
