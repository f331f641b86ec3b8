// From a packet value to octets, with the checksums and lengths that the value leaves open.
import { addressOctets, checksumOf, pseudoHeaderSum } from './checksum.ts';
import { crc32c } from './crc32c.ts';
import type { Extension, Ip, Ipv4, Ipv6, Layer4, Packet, Sctp } from './packet.ts';

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
export const TCP_FLAGS = 'FSRPAU';

/** The frame as it is on the wire. */
export function octetsOf(packet: Packet): Uint8Array {
  const header = new Uint8Array(14);
  header.set(macOctets(packet.ethernet.destination), 0);
  header.set(macOctets(packet.ethernet.source), 6);
  new DataView(header.buffer).setUint16(12, packet.ethernet.type ?? (packet.ip.version === 4 ? 0x0800 : 0x86dd));
  return joined(header, ipOctets(packet));
}

/** The packet without its frame: what an ICMP error carries. */
export function ipOctets({ ip, l4 }: Pick<Packet, 'ip' | 'l4'>): Uint8Array {
  const body = layer4Octets(ip, l4);
  return ip.version === 4 ? ipv4Octets(ip, protocolOf(ip, l4), body) : ipv6Octets(ip, protocolOf(ip, l4), body);
}

export function macOctets(mac: string): Uint8Array {
  return Uint8Array.from(mac.split(':'), (octet) => Number.parseInt(octet, 16));
}

export function joined(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function protocolOf(ip: Ip, l4: Layer4): number {
  if (l4.kind === 'raw') return l4.protocol;
  if (l4.kind === 'icmp') return ip.version === 4 ? PROTOCOL.icmp : PROTOCOL.icmpv6;
  return PROTOCOL[l4.kind];
}

function ipv4Octets(ip: Ipv4, protocol: number, body: Uint8Array): Uint8Array {
  const header = new Uint8Array(20 + ip.options.length);
  const view = new DataView(header.buffer);
  view.setUint8(0, 0x40 | (header.length / 4));
  view.setUint8(1, ip.tos);
  view.setUint16(2, ip.totalLength ?? header.length + body.length);
  view.setUint16(4, ip.id);
  view.setUint16(6, (ip.dontFragment ? 0x4000 : 0) | (ip.moreFragments ? 0x2000 : 0) | (ip.fragmentOffset / 8));
  view.setUint8(8, ip.ttl);
  view.setUint8(9, protocol);
  header.set(addressOctets(ip.source), 12);
  header.set(addressOctets(ip.destination), 16);
  header.set(ip.options, 20);
  view.setUint16(10, ip.checksum ?? checksumOf(header));
  return joined(header, body);
}

function ipv6Octets(ip: Ipv6, protocol: number, body: Uint8Array): Uint8Array {
  const next = [...ip.extensions.map((extension) => PROTOCOL[extension.kind]), protocol];
  const extensions = joined(...ip.extensions.map((extension, i) => extensionOctets(extension, next[i + 1] ?? protocol)));
  const header = new Uint8Array(40);
  const view = new DataView(header.buffer);
  view.setUint32(0, 0x60000000 | (ip.trafficClass << 20) | ip.flowLabel);
  view.setUint16(4, ip.payloadLength ?? extensions.length + body.length);
  view.setUint8(6, next[0] ?? protocol);
  view.setUint8(7, ip.hopLimit);
  header.set(addressOctets(ip.source), 8);
  header.set(addressOctets(ip.destination), 24);
  return joined(header, extensions, body);
}

function extensionOctets(extension: Extension, next: number): Uint8Array {
  if (extension.kind !== 'fragment') return joined(Uint8Array.of(next, (extension.data.length + 2) / 8 - 1), extension.data);
  const octets = new Uint8Array(8);
  const view = new DataView(octets.buffer);
  view.setUint8(0, next);
  view.setUint16(2, extension.offset | (extension.moreFragments ? 1 : 0));
  view.setUint32(4, extension.id);
  return octets;
}

function layer4Octets(ip: Ip, l4: Layer4): Uint8Array {
  if (l4.kind === 'raw') return l4.payload;
  if (l4.kind === 'sctp') return sctpOctets(l4);
  const options = l4.kind === 'tcp' ? l4.options : new Uint8Array(0);
  const fixed = l4.kind === 'tcp' ? 20 : 8;
  const octets = joined(new Uint8Array(fixed), options, l4.payload);
  const view = new DataView(octets.buffer);
  if (l4.kind === 'icmp') {
    view.setUint8(0, l4.type);
    view.setUint8(1, l4.code);
    view.setUint32(4, l4.rest);
  } else {
    view.setUint16(0, l4.sourcePort);
    view.setUint16(2, l4.destinationPort);
  }
  if (l4.kind === 'udp') view.setUint16(4, l4.length ?? octets.length);
  if (l4.kind === 'tcp') {
    view.setUint32(4, l4.sequence);
    view.setUint32(8, l4.acknowledgement);
    view.setUint8(12, ((fixed + options.length) / 4) << 4);
    view.setUint8(
      13,
      [...l4.flags].reduce((bits, flag) => bits | (1 << TCP_FLAGS.indexOf(flag)), 0),
    );
    view.setUint16(14, l4.window);
  }
  const field = { tcp: 16, udp: 6, icmp: 2 }[l4.kind];
  view.setUint16(field, l4.checksum ?? layer4Checksum(ip, l4, octets));
  return octets;
}

function sctpOctets(l4: Sctp): Uint8Array {
  const octets = joined(new Uint8Array(16), l4.payload);
  const view = new DataView(octets.buffer);
  view.setUint16(0, l4.sourcePort);
  view.setUint16(2, l4.destinationPort);
  view.setUint32(4, l4.tag);
  view.setUint8(12, l4.chunk);
  view.setUint8(13, l4.chunkFlags);
  view.setUint16(14, l4.chunkLength ?? octets.length - 12);
  view.setUint32(8, l4.checksum ?? crc32c(octets), true);
  return octets;
}

/** The checksum field of a TCP, UDP or SCTP frame without IP options or extension headers. */
export function checksumField(frame: Uint8Array | Packet): number {
  const octets = frame instanceof Uint8Array ? frame : octetsOf(frame);
  const view = new DataView(octets.buffer, octets.byteOffset);
  const [at, protocol] = view.getUint16(12) === 0x0800 ? [34, view.getUint8(23)] : [54, view.getUint8(20)];
  if (protocol === PROTOCOL.sctp) return view.getUint32(at + 8, true);
  return view.getUint16(at + (protocol === PROTOCOL.tcp ? 16 : 6));
}

/** Of layer 4 octets whose checksum field is zero. */
export function layer4Checksum(ip: Ip, l4: Layer4, octets: Uint8Array): number {
  const hasPseudoHeader = !(l4.kind === 'icmp' && ip.version === 4);
  const start = hasPseudoHeader ? pseudoHeaderSum(ip.source, ip.destination, protocolOf(ip, l4), octets.length) : 0;
  const checksum = checksumOf(octets, start);
  return l4.kind === 'udp' && checksum === 0 ? 0xffff : checksum;
}
