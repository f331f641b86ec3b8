// Fragments of one datagram, as packets: the first with its ports, and one that follows.
import { type Addresses, CLIENT_PORT, PORT, TARGET_PORT } from './cluster.ts';
import { type Packet, raw, udp } from './packet/packet.ts';
import { PROTOCOL } from './packet/write-packet.ts';

export const FIRST_PAYLOAD = 1440; // octets; with the UDP header a multiple of 8
export const REST = 200;

export interface Ends {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** IP fields of one fragment of datagram `id`. */
export function fragmentOf({ source }: { source: string }, id: number, offset: number, moreFragments: boolean): object {
  if (!source.includes(':')) return { id, fragmentOffset: offset, moreFragments };
  return { extensions: [{ kind: 'fragment', id, offset, moreFragments }] };
}

/** The checksum covers the whole datagram, so one fragment alone cannot show it: any number will do. */
export const firstFragment = (ends: Ends, id: number, checksum = 0x1234): Packet =>
  udp({
    ...ends,
    ...{ payload: new Uint8Array(FIRST_PAYLOAD), length: 8 + FIRST_PAYLOAD + REST, checksum },
    ip: fragmentOf(ends, id, 0, true),
  });

export interface LaterFragment {
  readonly protocol?: number;
  readonly octets?: number;
  readonly offset?: number;
  readonly more?: boolean;
}

export function laterFragment({ source, destination }: Ends, id: number, fields: LaterFragment = {}): Packet {
  const { protocol = PROTOCOL.udp, octets = REST, offset = 8 + FIRST_PAYLOAD, more = false } = fields;
  const payload = new Uint8Array(octets).fill(0xee);
  return raw({ source, destination, protocol, payload, ip: fragmentOf({ source }, id, offset, more) });
}

export const toService = (addresses: Addresses): Ends => ({
  ...{ source: addresses.client, sourcePort: CLIENT_PORT },
  ...{ destination: addresses.clusterIP, destinationPort: PORT },
});
export const fromEndpoint = (addresses: Addresses): Ends => ({
  ...{ source: addresses.endpoint, sourcePort: TARGET_PORT },
  ...{ destination: addresses.client, destinationPort: CLIENT_PORT },
});
