// The model's own reader of headers: RFC 791, 8200, 9293, 768, 9260, 792 and 4443. Nothing here knows bpf/packet.h.
import { type Address, addressAt } from './address.ts';

export const PROTOCOL = {
  hopByHop: 0,
  icmp: 1,
  tcp: 6,
  udp: 17,
  routing: 43,
  fragment: 44,
  icmpv6: 58,
  destinationOptions: 60,
  sctp: 132,
} as const;
export const FLAG = { fin: 1, syn: 2, rst: 4, ack: 16 } as const;
export const CHUNK = { init: 1, initAck: 2, abort: 6, shutdownComplete: 14 } as const;
/** Octets of the Ethernet header. */
export const L2 = 14;

const TYPE_IPV4 = 0x0800;
const TYPE_IPV6 = 0x86dd;
/** Longer chains of extension headers, or more of them, are nobody's Service traffic (ARCHITECTURE.md, bpf/packet.h). */
export const MOST_EXTENSIONS = 4;
const FURTHEST_LAYER4 = 512;
/** Octets of layer 4 without which a packet has no meaning: for SCTP the common header and a chunk's. */
const SCTP_HEADER = 12;
const LEAST_LAYER4: Readonly<Record<number, number>> = { [PROTOCOL.tcp]: 20, [PROTOCOL.udp]: 8, [PROTOCOL.sctp]: 16 };

export const isExtension = (next: number): boolean =>
  next === PROTOCOL.fragment || next === PROTOCOL.hopByHop || next === PROTOCOL.routing || next === PROTOCOL.destinationOptions;

export type Piece = 'whole' | 'first' | 'later';

/** A packet that might be ours: TCP, UDP, SCTP or the family's ICMP. */
export interface Headers {
  readonly isV4: boolean;
  protocol: number; // of a later IPv6 fragment: what its header says, until the first has told
  readonly source: Address;
  readonly destination: Address;
  sourcePort: number; // of a later fragment: 0 until they are known
  destinationPort: number;
  readonly l4: number; // where layer 4 begins
  readonly piece: Piece;
  readonly fragmentId: number;
  readonly flags: number; // TCP
  readonly chunk: number; // SCTP: type of the first chunk; -1: none seen
  readonly isCut: boolean; // a first fragment that ends before its layer 4 header does
}

export const word = (octets: Uint8Array, at: number): number => (octets[at]! << 8) | octets[at + 1]!;
export const long = (octets: Uint8Array, at: number): number => word(octets, at) * 0x10000 + word(octets, at + 2);

/** Why the kernel would run no program on this frame, if so: it wants a whole Ethernet and IP header of every test run. */
export function isTooShortToRun(frame: Uint8Array): boolean {
  if (frame.length < L2) return true;
  const type = word(frame, 12);
  return (type === TYPE_IPV4 && frame.length < L2 + 20) || (type === TYPE_IPV6 && frame.length < L2 + 40);
}

/** Null: cut, malformed, or of a protocol that Services do not have. */
export function readHeaders(frame: Uint8Array): Headers | null {
  if (frame.length < L2) return null;
  const type = word(frame, 12);
  if (type === TYPE_IPV4) return readIpv4(frame);
  return type === TYPE_IPV6 ? readIpv6(frame) : null;
}

function readIpv4(frame: Uint8Array): Headers | null {
  if (frame.length < L2 + 20 || frame[L2]! >> 4 !== 4) return null;
  const headerLength = (frame[L2]! & 15) * 4;
  if (headerLength < 20) return null;
  const fragment = word(frame, L2 + 6);
  const piece = (fragment & 0x1fff) !== 0 ? 'later' : (fragment & 0x2000) !== 0 ? 'first' : 'whole';
  const ends = { isV4: true, source: addressAt(frame, L2 + 12, true), destination: addressAt(frame, L2 + 16, true) };
  return readLayer4(frame, L2 + headerLength, frame[L2 + 9]!, piece, word(frame, L2 + 4), ends);
}

function readIpv6(frame: Uint8Array): Headers | null {
  if (frame.length < L2 + 40 || frame[L2]! >> 4 !== 6) return null;
  let next = frame[L2 + 6]!;
  let at = L2 + 40;
  let piece: Piece = 'whole';
  let fragmentId = 0;
  for (let count = 0; count < MOST_EXTENSIONS; count++) {
    if (at > FURTHEST_LAYER4) return null;
    if (next === PROTOCOL.fragment) {
      if (at + 8 > frame.length) return null;
      const offset = word(frame, at + 2);
      fragmentId = long(frame, at + 4);
      next = frame[at]!;
      at += 8;
      if ((offset & 0xfff8) !== 0) {
        piece = 'later';
        break; // what follows is the middle of something, no header
      }
      if ((offset & 1) !== 0) piece = 'first';
    } else if (isExtension(next)) {
      if (at + 2 > frame.length) return null;
      next = frame[at]!;
      at += 8 + frame[at + 1]! * 8;
    } else break;
  }
  if (at > FURTHEST_LAYER4) return null;
  const ends = { isV4: false, source: addressAt(frame, L2 + 8, false), destination: addressAt(frame, L2 + 24, false) };
  return readLayer4(frame, at, next, piece, fragmentId, ends);
}

type Ends = Pick<Headers, 'isV4' | 'source' | 'destination'>;

function readLayer4(
  frame: Uint8Array,
  l4: number,
  protocol: number,
  piece: Piece,
  fragmentId: number,
  ends: Ends,
): Headers | null {
  const isIcmp = protocol === (ends.isV4 ? PROTOCOL.icmp : PROTOCOL.icmpv6);
  const least = LEAST_LAYER4[protocol];
  // Of a later fragment's headers only the first knows what stands behind.
  const isHidden = piece === 'later' && !ends.isV4 && (protocol === PROTOCOL.routing || protocol === PROTOCOL.destinationOptions);
  if (!isIcmp && !isHidden && least === undefined) return null;
  const known = { ...ends, protocol, l4, piece, fragmentId, isCut: false };
  // A router reads no further, and ICMP has no ports.
  if (isIcmp || piece === 'later') return { ...known, sourcePort: 0, destinationPort: 0, flags: 0, chunk: -1 };
  if (l4 + least! > frame.length) {
    const hasPorts = protocol === PROTOCOL.sctp && l4 + SCTP_HEADER <= frame.length;
    const [sourcePort, destinationPort] = hasPorts ? [word(frame, l4), word(frame, l4 + 2)] : [0, 0];
    return piece === 'first' ? { ...known, sourcePort, destinationPort, flags: 0, chunk: -1, isCut: true } : null;
  }
  const flags = protocol === PROTOCOL.tcp ? frame[l4 + 13]! : 0;
  const chunk = protocol === PROTOCOL.sctp ? frame[l4 + 12]! : -1;
  return { ...known, sourcePort: word(frame, l4), destinationPort: word(frame, l4 + 2), flags, chunk };
}

/** Does this packet begin something? TCP: SYN without ACK; SCTP: INIT; a datagram always. */
export function opens({ protocol, flags, chunk }: Headers): boolean {
  if (protocol === PROTOCOL.tcp) return (flags & (FLAG.syn | FLAG.ack)) === FLAG.syn;
  return protocol !== PROTOCOL.sctp || chunk === CHUNK.init;
}

/** The backend's consent: SYN with ACK, INIT ACK. Datagrams have none. */
export function accepts({ protocol, flags, chunk }: Headers): boolean {
  const both = FLAG.syn | FLAG.ack;
  return protocol === PROTOCOL.tcp ? (flags & both) === both : protocol === PROTOCOL.sctp && chunk === CHUNK.initAck;
}
