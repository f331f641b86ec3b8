// A packet of a flow with another address and other ports. Destinations change on the way in, sources on the way out.
import { type Address, putAddress } from './address.ts';
import { crcDifference, Difference, udpChecksum } from './checksum.ts';
import type { Direction } from './flows.ts';
import { type Headers, L2, PROTOCOL, word } from './headers.ts';

export interface Ends {
  readonly address: Address; // the destination's at ingress, the source's at egress
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** Offsets of the source's or destination's address. */
export const addressField = (isV4: boolean, which: 'source' | 'destination', ip = L2): number =>
  ip + (isV4 ? 12 : 8) + (which === 'destination' ? (isV4 ? 4 : 16) : 0);

const LEAST_SCTP = 16; // common header, header of a chunk

const scratch = new Uint8Array(16);
function octetsOf(address: Address, isV4: boolean): Uint8Array {
  putAddress(scratch, 0, address, isV4);
  return scratch.subarray(0, isV4 ? 4 : 16);
}

/** Writes the address; the IPv4 header's own checksum follows. */
export function replaceAddress(octets: Uint8Array, ip: number, isV4: boolean, at: number, to: Address, over: Difference): void {
  if (isV4) {
    const header = new Difference();
    const before = octets.slice(at, at + 4);
    header.replace(octets, at, octetsOf(to, true));
    const checksum = header.applyTo(word(octets, ip + 10));
    octets.set(before, at);
    octets[ip + 10] = checksum >> 8;
    octets[ip + 11] = checksum & 0xff;
  }
  over.replace(octets, at, octetsOf(to, isV4));
}

/** A new frame, or null when that cannot be done. */
export function rewritten(frame: Uint8Array, headers: Headers, direction: Direction, ends: Ends): Uint8Array | null {
  const { isV4, l4, protocol, piece } = headers;
  const arePortsKept = headers.sourcePort === ends.sourcePort && headers.destinationPort === ends.destinationPort;
  // The CRC of all fragments together cannot be mended in the first.
  if (protocol === PROTOCOL.sctp && piece !== 'whole' && !arePortsKept) return null;
  const octets = frame.slice();
  const covered = new Difference();
  const which = direction === 'in' ? 'destination' : 'source';
  const isAddressKept = headers[which] === ends.address;
  if (!isAddressKept) replaceAddress(octets, L2, isV4, addressField(isV4, which), ends.address, covered);
  if (piece === 'later' || (isAddressKept && arePortsKept)) return octets;
  if (protocol === PROTOCOL.sctp) return arePortsKept || rewriteSctpPorts(octets, headers, ends) ? octets : null;
  covered.replaceWord(octets, l4, ends.sourcePort);
  covered.replaceWord(octets, l4 + 2, ends.destinationPort);
  const field = l4 + (protocol === PROTOCOL.tcp ? 16 : 6);
  const before = word(octets, field);
  const checksum = protocol === PROTOCOL.tcp ? covered.applyTo(before) : udpChecksum(covered, before);
  octets[field] = checksum >> 8;
  octets[field + 1] = checksum & 0xff;
  return octets;
}

/** The checksum covers what the IP header says that there is. Zero: it is not filled in yet. False: there cannot be so little. */
function rewriteSctpPorts(octets: Uint8Array, { isV4, l4 }: Headers, { sourcePort, destinationPort }: Ends): boolean {
  const end = L2 + (isV4 ? word(octets, L2 + 2) : 40 + word(octets, L2 + 4));
  const before = octets.slice(l4, l4 + 4);
  const ports = Uint8Array.of(sourcePort >> 8, sourcePort & 0xff, destinationPort >> 8, destinationPort & 0xff);
  const view = new DataView(octets.buffer, octets.byteOffset);
  const checksum = view.getUint32(l4 + 8, true);
  if (checksum !== 0) {
    if (end - l4 < LEAST_SCTP) return false;
    view.setUint32(l4 + 8, checksum ^ crcDifference(before, ports, end - l4), true);
  }
  octets.set(ports, l4);
  return true;
}
