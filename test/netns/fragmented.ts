// UDP datagrams in fragments, as frames.
import { payload } from '../../lab/datagram-socket.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { until } from '../../lab/turnout.ts';
import { type Extension, type Packet, raw, udp } from '../datapath/packet/packet.ts';
import { ipOctets, octetsOf, PROTOCOL } from '../datapath/packet/write-packet.ts';

export interface Datagram {
  readonly source: string;
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
  readonly octets: number;
  readonly seed: number;
}

export interface Hop {
  readonly device: string;
  readonly sourceMac: string;
  readonly destinationMac: string;
}

/** How a namespace reaches an address. A small datagram to a port of no interest makes the neighbour known. */
export async function hopTo(namespace: Namespace, to: string): Promise<Hop> {
  const [route] = JSON.parse(namespace.run('ip', '-j', 'route', 'get', to)) as { dev: string; gateway?: string }[];
  const links = JSON.parse(namespace.run('ip', '-j', 'link', 'show')) as { ifname: string; address: string }[];
  const link = links.find(({ ifname }) => ifname === route?.dev);
  if (!route || !link) throw new Error(`${namespace.name} has no route to ${to}`);
  const neighbourMac = (): string | undefined => {
    const args = ['-j', 'neigh', 'show', 'to', route.gateway ?? to, 'dev', route.dev];
    return (JSON.parse(namespace.run('ip', ...args)) as { lladdr?: string }[])[0]?.lladdr;
  };
  if (!neighbourMac()) namespace.run('bash', '-c', `echo > /dev/udp/${to}/9`);
  await until(`${namespace.name} knows its neighbour on the way to ${to}`, () => neighbourMac() !== undefined, 3000);
  return { device: route.dev, sourceMac: link.address, destinationMac: neighbourMac() ?? '' };
}

/**
 * The datagram in fragments of at most `size` octets of payload, in order. `before`: IPv6 headers in front of the fragment header;
 * `inside`: those that are fragmented with the datagram.
 */
export function fragmentsOf(
  datagram: Datagram,
  id: number,
  hop: Hop,
  { size = 1400, before = [] as readonly Extension[], inside = [] as readonly Extension[] } = {},
): Uint8Array[] {
  const { octets, seed, ...ends } = datagram;
  const ethernet = { source: hop.sourceMac, destination: hop.destinationMac };
  const whole: Packet = udp({ ...ends, ethernet, payload: payload(octets, seed) });
  const isV4 = whole.ip.version === 4;
  const withHeaders = isV4 ? whole : { ...whole, ip: { ...whole.ip, extensions: inside } };
  const body = ipOctets(withHeaders as Packet).slice(isV4 ? 20 : 40);
  const protocol = isV4 || !inside[0] ? PROTOCOL.udp : PROTOCOL[inside[0].kind];
  const count = Math.ceil(body.length / size);
  return Array.from({ length: count }, (_, i) => {
    const place = { id, moreFragments: i < count - 1 };
    const ip = isV4
      ? { ...place, fragmentOffset: i * size }
      : { extensions: [...before, { kind: 'fragment' as const, ...place, offset: i * size }] };
    const { source, destination } = ends;
    return octetsOf(raw({ source, destination, ethernet, protocol, payload: body.slice(i * size, (i + 1) * size), ip }));
  });
}
