// From octets to a packet value: the inverse of write-packet.ts. A right checksum or length is left out, a wrong one is kept.
import { formatIp } from '../../../src/state/ip.ts';
import { checksumOf } from './checksum.ts';
import { crc32c } from './crc32c.ts';
import type { Ethernet, Extension, Ip, Ipv4, Ipv6, Layer4, Packet } from './packet.ts';
import { joined, layer4Checksum, PROTOCOL, TCP_FLAGS } from './write-packet.ts';

/** Throws RangeError when the Ethernet or IP header is cut. */
export function readPacket(octets: Uint8Array): Packet {
  const view = viewOf(octets);
  const mac = (at: number): string =>
    [...octets.subarray(at, at + 6)].map((octet) => octet.toString(16).padStart(2, '0')).join(':');
  const type = view.getUint16(12);
  const packet = readIp(octets.subarray(14));
  const usual = packet.ip.version === 4 ? 0x0800 : 0x86dd;
  const ethernet: Ethernet = { destination: mac(0), source: mac(6), ...(type !== usual && { type }) };
  return { ethernet, ...packet };
}

/** A packet without frame, as an ICMP error carries it. A layer 4 header that is cut becomes `raw`. */
export function readIp(octets: Uint8Array): Pick<Packet, 'ip' | 'l4'> {
  const version = viewOf(octets).getUint8(0) >> 4;
  if (version === 4) return readIpv4(octets);
  if (version === 6) return readIpv6(octets);
  throw new RangeError(`IP version ${version}`);
}

const viewOf = (octets: Uint8Array): DataView => new DataView(octets.buffer, octets.byteOffset, octets.byteLength);

function readIpv4(octets: Uint8Array): Pick<Packet, 'ip' | 'l4'> {
  const view = viewOf(octets);
  const headerLength = (view.getUint8(0) & 15) * 4;
  const header = octets.slice(0, headerLength);
  const address = (at: number): string => octets.subarray(at, at + 4).join('.');
  const flags = view.getUint16(6);
  header[10] = header[11] = 0;
  const ip: Ipv4 = {
    version: 4,
    source: address(12),
    destination: address(16),
    ttl: view.getUint8(8),
    tos: view.getUint8(1),
    id: view.getUint16(4),
    dontFragment: (flags & 0x4000) !== 0,
    moreFragments: (flags & 0x2000) !== 0,
    fragmentOffset: (flags & 0x1fff) * 8,
    options: octets.slice(20, headerLength),
    ...(view.getUint16(10) !== checksumOf(header) && { checksum: view.getUint16(10) }),
    ...(view.getUint16(2) !== octets.length && { totalLength: view.getUint16(2) }),
  };
  return { ip, l4: readLayer4(ip, view.getUint8(9), octets.slice(headerLength), ip.fragmentOffset > 0) };
}

function readIpv6(octets: Uint8Array): Pick<Packet, 'ip' | 'l4'> {
  const view = viewOf(octets);
  const extensions: Extension[] = [];
  let next = view.getUint8(6);
  let at = 40;
  for (let kind = extensionKind(next); kind && at + 8 <= octets.length; kind = extensionKind(next)) {
    const length = kind === 'fragment' ? 8 : (view.getUint8(at + 1) + 1) * 8;
    const bits = view.getUint16(at + 2);
    extensions.push(
      kind === 'fragment'
        ? { kind, id: view.getUint32(at + 4), offset: bits & 0xfff8, moreFragments: (bits & 1) !== 0 }
        : { kind, data: octets.slice(at + 2, at + length) },
    );
    next = view.getUint8(at);
    at += length;
  }
  const firstWord = view.getUint32(0);
  const ip: Ipv6 = {
    version: 6,
    source: formatIp(octets.slice(8, 24)),
    destination: formatIp(octets.slice(24, 40)),
    hopLimit: view.getUint8(7),
    trafficClass: (firstWord >>> 20) & 0xff,
    flowLabel: firstWord & 0xfffff,
    extensions,
    ...(view.getUint16(4) !== octets.length - 40 && { payloadLength: view.getUint16(4) }),
  };
  const isLater = extensions.some((extension) => extension.kind === 'fragment' && extension.offset > 0);
  return { ip, l4: readLayer4(ip, next, octets.slice(at), isLater) };
}

function extensionKind(next: number): Extension['kind'] | undefined {
  return (['hopByHop', 'routing', 'destinationOptions', 'fragment'] as const).find((kind) => PROTOCOL[kind] === next);
}

function readLayer4(ip: Ip, protocol: number, octets: Uint8Array, isLaterFragment: boolean): Layer4 {
  const view = viewOf(octets);
  const cut: Layer4 = { kind: 'raw', protocol, payload: octets };
  if (isLaterFragment) return cut;
  const ports = () => ({ sourcePort: view.getUint16(0), destinationPort: view.getUint16(2) });
  if (protocol === PROTOCOL.tcp && octets.length >= 20) {
    const headerLength = (view.getUint8(12) >> 4) * 4;
    const bits = view.getUint8(13);
    return withChecksum(ip, octets, 16, {
      kind: 'tcp',
      ...ports(),
      sequence: view.getUint32(4),
      acknowledgement: view.getUint32(8),
      flags: [...TCP_FLAGS].filter((_, bit) => bits & (1 << bit)).join(''),
      window: view.getUint16(14),
      options: octets.slice(20, headerLength),
      payload: octets.slice(headerLength),
    });
  }
  if (protocol === PROTOCOL.udp && octets.length >= 8) {
    const length = view.getUint16(4);
    const header = { kind: 'udp', ...ports(), ...(length !== octets.length && { length }) } as const;
    return withChecksum(ip, octets, 6, { ...header, payload: octets.slice(8) });
  }
  if (protocol === PROTOCOL.sctp && octets.length >= 16) return readSctp(octets);
  if (protocol === (ip.version === 4 ? PROTOCOL.icmp : PROTOCOL.icmpv6) && octets.length >= 8) {
    const header = { kind: 'icmp', type: view.getUint8(0), code: view.getUint8(1), rest: view.getUint32(4) } as const;
    return withChecksum(ip, octets, 2, { ...header, payload: octets.slice(8) });
  }
  return cut;
}

function readSctp(octets: Uint8Array): Layer4 {
  const view = viewOf(octets);
  const checksum = view.getUint32(8, true);
  const length = view.getUint16(14);
  return {
    kind: 'sctp',
    sourcePort: view.getUint16(0),
    destinationPort: view.getUint16(2),
    tag: view.getUint32(4),
    chunk: view.getUint8(12),
    chunkFlags: view.getUint8(13),
    payload: octets.slice(16),
    ...(length !== octets.length - 12 && { chunkLength: length }),
    ...(checksum !== crc32c(joined(octets.subarray(0, 8), new Uint8Array(4), octets.subarray(12))) && { checksum }),
  };
}

function withChecksum(ip: Ip, octets: Uint8Array, field: number, l4: Layer4): Layer4 {
  const checksum = viewOf(octets).getUint16(field);
  const zeroed = joined(octets.subarray(0, field), new Uint8Array(2), octets.subarray(field + 2));
  return checksum === layer4Checksum(ip, l4, zeroed) ? l4 : ({ ...l4, checksum } as Layer4);
}
