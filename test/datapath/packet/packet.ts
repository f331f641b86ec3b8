// Packets as plain values. An absent checksum or length means "the right one"; a number means exactly that number.
// Addresses and MACs are canonical text, ports and sequence numbers are numbers, everything else is octets.

export interface Ethernet {
  readonly destination: string;
  readonly source: string;
  /** Ethertype; IPv4 and IPv6 follow from `ip` when there is one. */
  readonly type?: number;
}

export interface Ipv4 {
  readonly version: 4;
  readonly source: string;
  readonly destination: string;
  readonly ttl: number;
  readonly tos: number;
  readonly id: number;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  readonly fragmentOffset: number; // octets, a multiple of 8
  readonly options: Uint8Array; // length a multiple of 4
  readonly checksum?: number;
  readonly totalLength?: number;
}

export interface Ipv6 {
  readonly version: 6;
  readonly source: string;
  readonly destination: string;
  readonly hopLimit: number;
  readonly trafficClass: number;
  readonly flowLabel: number;
  readonly extensions: readonly Extension[];
  readonly payloadLength?: number;
}

/** data: what follows the length octet, 6 + 8n octets. */
export type Extension =
  | { readonly kind: 'hopByHop' | 'routing' | 'destinationOptions'; readonly data: Uint8Array }
  | { readonly kind: 'fragment'; readonly id: number; readonly offset: number; readonly moreFragments: boolean };

export interface Tcp {
  readonly kind: 'tcp';
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly flags: string; // some of 'FSRPAU', in this order
  readonly window: number;
  readonly options: Uint8Array; // length a multiple of 4
  readonly payload: Uint8Array;
  readonly checksum?: number;
}

export interface Udp {
  readonly kind: 'udp';
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
  readonly checksum?: number; // 0: none
  readonly length?: number;
}

/** ICMP in IPv4, ICMPv6 in IPv6. `rest` is the second word of the header. */
export interface Icmp {
  readonly kind: 'icmp';
  readonly type: number;
  readonly code: number;
  readonly rest: number;
  readonly payload: Uint8Array;
  readonly checksum?: number;
}

/** The common header and the first chunk; `payload` is what follows the chunk's header, with further chunks if any. */
export interface Sctp {
  readonly kind: 'sctp';
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly tag: number;
  readonly chunk: number; // one of SCTP_CHUNK, or any other type
  readonly chunkFlags: number;
  readonly payload: Uint8Array;
  readonly chunkLength?: number; // the first chunk goes to the end unless said otherwise
  readonly checksum?: number; // 0: none yet
}

/** Any other protocol, a later fragment, or a header that is cut. */
export interface Raw {
  readonly kind: 'raw';
  readonly protocol: number;
  readonly payload: Uint8Array;
}

export type Ip = Ipv4 | Ipv6;
export type Layer4 = Tcp | Udp | Sctp | Icmp | Raw;

export interface Packet {
  readonly ethernet: Ethernet;
  readonly ip: Ip;
  readonly l4: Layer4;
}

/** Destination MAC of a packet to this host: what the loopback device of a test run has. */
export const HOST_MAC = '00:00:00:00:00:00';
export const PEER_MAC = '02:00:00:00:00:02';
export const OTHER_MAC = '02:00:00:00:00:99';

const NONE = new Uint8Array(0);

export interface Headers {
  readonly source: string;
  readonly destination: string;
  readonly ethernet?: Partial<Ethernet>;
  readonly ip?: Partial<Omit<Ipv4, 'version'>> & Partial<Omit<Ipv6, 'version'>>;
}

function network({ source, destination, ethernet, ip }: Headers): Pick<Packet, 'ethernet' | 'ip'> {
  const frame = { destination: HOST_MAC, source: PEER_MAC, ...ethernet };
  const v4 = { ttl: 64, tos: 0, id: 0x1234, dontFragment: false, moreFragments: false, fragmentOffset: 0, options: NONE };
  const v6 = { hopLimit: 64, trafficClass: 0, flowLabel: 0, extensions: [] };
  return source.includes(':')
    ? { ethernet: frame, ip: { version: 6, source, destination, ...v6, ...ip } as Ipv6 }
    : { ethernet: frame, ip: { version: 4, source, destination, ...v4, ...ip } as Ipv4 };
}

/** A TCP segment, by default a SYN without options. */
export function tcp(headers: Headers & Partial<Omit<Tcp, 'kind'>> & Pick<Tcp, 'sourcePort' | 'destinationPort'>): Packet {
  const { source, destination, ethernet, ip, ...fields } = headers;
  const defaults = { sequence: 1000, acknowledgement: 0, flags: 'S', window: 64240, options: NONE, payload: NONE };
  return { ...network(headers), l4: { kind: 'tcp', ...defaults, ...fields } };
}

/** A UDP datagram, by default with the payload "hello". */
export function udp(headers: Headers & Partial<Omit<Udp, 'kind'>> & Pick<Udp, 'sourcePort' | 'destinationPort'>): Packet {
  const { source, destination, ethernet, ip, ...fields } = headers;
  return { ...network(headers), l4: { kind: 'udp', payload: text('hello'), ...fields } };
}

/** RFC 9260 section 3.2. */
export const SCTP_CHUNK = {
  DATA: 0,
  INIT: 1,
  INIT_ACK: 2,
  SACK: 3,
  HEARTBEAT: 4,
  ABORT: 6,
  SHUTDOWN: 7,
  SHUTDOWN_ACK: 8,
  COOKIE_ECHO: 10,
  SHUTDOWN_COMPLETE: 14,
} as const;

/** Initiate tag, window, streams out and in, first TSN. */
const INIT_FIELDS = Uint8Array.of(0xca, 0xfe, 0xf0, 0x0d, 0, 1, 0xa0, 0, 0, 10, 0xff, 0xff, 0x12, 0x34, 0x56, 0x78);

/** An SCTP packet of one chunk, by default an INIT without parameters. */
export function sctp(headers: Headers & Partial<Omit<Sctp, 'kind'>> & Pick<Sctp, 'sourcePort' | 'destinationPort'>): Packet {
  const { source, destination, ethernet, ip, ...fields } = headers;
  const defaults = { tag: 0, chunk: SCTP_CHUNK.INIT, chunkFlags: 0, payload: INIT_FIELDS };
  return { ...network(headers), l4: { kind: 'sctp', ...defaults, ...fields } };
}

export function icmp(headers: Headers & Partial<Omit<Icmp, 'kind'>> & Pick<Icmp, 'type' | 'code'>): Packet {
  const { source, destination, ethernet, ip, ...fields } = headers;
  return { ...network(headers), l4: { kind: 'icmp', rest: 0, payload: NONE, ...fields } };
}

export function raw(headers: Headers & Omit<Raw, 'kind'>): Packet {
  const { source, destination, ethernet, ip, ...fields } = headers;
  return { ...network(headers), l4: { kind: 'raw', ...fields } };
}

export const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** What a translation may change. */
export interface Change {
  readonly source?: string;
  readonly destination?: string;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly destinationMac?: string;
}

/** The packet with some fields replaced; checksums follow where the packet does not fix them. */
export function changed(packet: Packet, change: Change): Packet {
  const { source, destination, sourcePort, destinationPort, destinationMac } = change;
  const hasPorts = 'sourcePort' in packet.l4;
  return {
    ethernet: { ...packet.ethernet, ...(destinationMac !== undefined && { destination: destinationMac }) },
    ip: { ...packet.ip, ...(source !== undefined && { source }), ...(destination !== undefined && { destination }) },
    l4: {
      ...packet.l4,
      ...(hasPorts && sourcePort !== undefined && { sourcePort }),
      ...(hasPorts && destinationPort !== undefined && { destinationPort }),
    } as Layer4,
  };
}
