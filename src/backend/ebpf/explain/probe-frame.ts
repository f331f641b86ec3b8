// The packet that is asked about: one that opens a connection. Checksums are left out: programs change them by differences, and no
// stack ever sees this packet.
import { addressOctets, addressText } from '../../../datapath/address.ts';
import { viewOf } from '../../../datapath/bytes.ts';
import type { Protocol } from '../../../state/model.ts';
import { PROTOCOL_NUMBERS } from '../rows.ts';

export interface FrameAddresses {
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
}

const ETHERNET_OCTETS = 14;
const HOP_LIMIT = 64;
const SYN = 0x02;
const SCTP_INIT = 1;

/** A TCP SYN, a datagram of eight octets, or an SCTP INIT. mac: whom it is sent to. */
export function probeFrame(addresses: FrameAddresses, protocol: Protocol, mac: Uint8Array): Uint8Array {
  const source = addressOctets(addresses.source);
  const destination = addressOctets(addresses.destination);
  const l4 = opening(protocol);
  viewOf(l4).setUint16(0, addresses.sourcePort);
  viewOf(l4).setUint16(2, addresses.destinationPort);
  const isV6 = addresses.destination.includes(':');
  const ip = isV6 ? ipv6Header(protocol, l4.length) : ipv4Header(protocol, l4.length);
  ip.set(isV6 ? source : source.subarray(12), isV6 ? 8 : 12);
  ip.set(isV6 ? destination : destination.subarray(12), isV6 ? 24 : 16);
  const ethernet = new Uint8Array(ETHERNET_OCTETS);
  ethernet.set(mac, 0);
  viewOf(ethernet).setUint16(12, isV6 ? 0x86dd : 0x0800);
  return Uint8Array.of(...ethernet, ...ip, ...l4);
}

/** The same frame to another station. */
export function frameTo(frame: Uint8Array, mac: Uint8Array): Uint8Array {
  const copy = frame.slice();
  copy.set(mac, 0);
  return copy;
}

/** Addresses and ports of a frame that probeFrame() made and programs changed. */
export function readFrame(frame: Uint8Array): FrameAddresses {
  const view = viewOf(frame);
  const isV6 = view.getUint16(12) === 0x86dd;
  const address = (at: number): string => {
    const octets = new Uint8Array(16);
    if (isV6) octets.set(frame.subarray(at, at + 16));
    else octets.set([0xff, 0xff, ...frame.subarray(at, at + 4)], 10);
    return addressText(octets);
  };
  const l4 = ETHERNET_OCTETS + (isV6 ? 40 : 20);
  return {
    source: address(ETHERNET_OCTETS + (isV6 ? 8 : 12)),
    sourcePort: view.getUint16(l4),
    destination: address(ETHERNET_OCTETS + (isV6 ? 24 : 16)),
    destinationPort: view.getUint16(l4 + 2),
  };
}

function opening(protocol: Protocol): Uint8Array {
  if (protocol === 'TCP') {
    const header = new Uint8Array(20);
    header[12] = 0x50; // five words
    header[13] = SYN;
    return header;
  }
  if (protocol === 'UDP') {
    const datagram = new Uint8Array(16);
    viewOf(datagram).setUint16(4, datagram.length);
    return datagram;
  }
  const packet = new Uint8Array(32);
  packet[12] = SCTP_INIT;
  viewOf(packet).setUint16(14, 20); // the chunk
  return packet;
}

function ipv4Header(protocol: Protocol, octets: number): Uint8Array {
  const header = new Uint8Array(20);
  header[0] = 0x45;
  viewOf(header).setUint16(2, header.length + octets);
  header[8] = HOP_LIMIT;
  header[9] = PROTOCOL_NUMBERS[protocol] ?? 0;
  return header;
}

function ipv6Header(protocol: Protocol, octets: number): Uint8Array {
  const header = new Uint8Array(40);
  header[0] = 0x60;
  viewOf(header).setUint16(4, octets);
  header[6] = PROTOCOL_NUMBERS[protocol] ?? 0;
  header[7] = HOP_LIMIT;
  return header;
}
