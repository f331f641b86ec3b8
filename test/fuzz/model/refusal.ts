// ICMP and ICMPv6 "port unreachable" about a packet, sent back where it came from: RFC 792, RFC 1122 section 3.2.2, RFC 4443 section 3.1.

import { checksumOf, sumOf } from './checksum.ts';
import { CHUNK, type Headers, L2, PROTOCOL } from './headers.ts';
import { addressField } from './rewrite.ts';

/** Layer 4 octets that the error quotes: TCP's header, SCTP's with the chunk's (of an INIT with its tag), UDP's. */
function quotedLayer4({ protocol, chunk }: Headers): number {
  if (protocol === PROTOCOL.tcp) return 20;
  if (protocol === PROTOCOL.udp) return 8;
  return chunk === CHUNK.init ? 20 : 16;
}

const MOST_QUOTED = 80; // an IPv4 header with all options, and a TCP header
const HOP_LIMIT = 64;

/** The frame that goes back; null: it is cut, or its headers are too long to quote. */
export function portUnreachable(frame: Uint8Array, headers: Headers): Uint8Array | null {
  const { isV4, l4 } = headers;
  const quoted = l4 - L2 + quotedLayer4(headers);
  if (quoted > MOST_QUOTED || L2 + quoted > frame.length) return null;
  const icmp = L2 + (isV4 ? 20 : 40);
  const octets = new Uint8Array(icmp + 8 + quoted);
  octets.set(frame.subarray(6, 12), 0);
  octets.set(frame.subarray(0, 6), 6);
  octets.set(frame.subarray(12, 14), 12);
  octets.set(frame.subarray(L2, L2 + quoted), icmp + 8);
  const view = new DataView(octets.buffer);
  const length = isV4 ? 4 : 16;
  const [source, destination] = [addressField(isV4, 'source'), addressField(isV4, 'destination')];
  octets.set(frame.subarray(destination, destination + length), source);
  octets.set(frame.subarray(source, source + length), destination);
  if (isV4) {
    octets[L2] = 0x45;
    view.setUint16(L2 + 2, octets.length - L2);
    octets[L2 + 8] = HOP_LIMIT;
    octets[L2 + 9] = PROTOCOL.icmp;
    view.setUint16(L2 + 10, checksumOf(sumOf(octets, L2, icmp)));
    octets[icmp] = octets[icmp + 1] = 3;
    view.setUint16(icmp + 2, checksumOf(sumOf(octets, icmp, octets.length)));
    return octets;
  }
  octets[L2] = 0x60;
  view.setUint16(L2 + 4, 8 + quoted);
  octets[L2 + 6] = PROTOCOL.icmpv6;
  octets[L2 + 7] = HOP_LIMIT;
  octets[icmp] = 1;
  octets[icmp + 1] = 4;
  const pseudoHeader = sumOf(octets, source, source + 32) + 8 + quoted + PROTOCOL.icmpv6;
  view.setUint16(icmp + 2, checksumOf(pseudoHeader + sumOf(octets, icmp, octets.length)));
  return octets;
}
