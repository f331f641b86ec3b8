// A small cluster in both families: one Service with every kind of frontend, its endpoints, and who talks to it.
import type { Endpoint, IpFamily, ServicePort } from '../../src/state/model.ts';
import { type Headers, type Packet, SCTP_CHUNK, sctp, tcp, udp } from './packet/packet.ts';

export type Transport = 'TCP' | 'UDP' | 'SCTP';

export interface Addresses {
  readonly family: IpFamily;
  readonly clusterIP: string;
  readonly externalIP: string;
  readonly loadBalancerIP: string;
  readonly node: string; // this node; also the source of masqueraded packets
  readonly client: string; // outside the cluster
  readonly pod: string; // on this node, in CLUSTER_CIDRS
  readonly endpoint: string; // on another node
  readonly otherEndpoint: string;
  readonly stranger: string; // no Service
}

export const V4: Addresses = {
  family: 'IPv4',
  clusterIP: '10.96.0.10',
  externalIP: '203.0.113.10',
  loadBalancerIP: '203.0.113.20',
  node: '192.0.2.1',
  client: '198.51.100.7',
  pod: '10.244.0.5',
  endpoint: '10.244.1.20',
  otherEndpoint: '10.244.2.30',
  stranger: '198.51.100.99',
};

export const V6: Addresses = {
  family: 'IPv6',
  clusterIP: 'fd00:96::10',
  externalIP: '2001:db8:113::10',
  loadBalancerIP: '2001:db8:113::20',
  node: '2001:db8::1',
  client: '2001:db8:51::7',
  pod: 'fd00:244::5',
  endpoint: 'fd00:244:1::20',
  otherEndpoint: 'fd00:244:2::30',
  stranger: '2001:db8:51::99',
};

export const CLUSTER_CIDRS = '10.244.0.0/16,fd00:244::/32';

export const PORT = 80;
export const NODE_PORT = 30080;
export const TARGET_PORT = 8080;
export const CLIENT_PORT = 40000;

/** For describe.each: every family with every transport. */
export const CASES: readonly { addresses: Addresses; transport: Transport; title: string }[] = [V4, V6].flatMap((addresses) =>
  (['TCP', 'UDP', 'SCTP'] as const).map((transport) => ({ addresses, transport, title: `${addresses.family} ${transport}` })),
);
/** What conntrack's kfunc answers for. */
export const TRACKED = CASES.filter(({ transport }) => transport !== 'SCTP');
export const FAMILIES = [V4, V6].map((addresses) => ({ addresses, title: addresses.family }));

export interface FrontendOf {
  readonly kind: string;
  readonly address: string;
  readonly port: number;
}

/** Where servicePort() is reached: the ClusterIP, then the external frontends. */
export const frontendsOf = (addresses: Addresses): FrontendOf[] => [
  { kind: 'ClusterIP', address: addresses.clusterIP, port: PORT },
  ...externalFrontendsOf(addresses),
];
export const externalFrontendsOf = (addresses: Addresses): FrontendOf[] => [
  { kind: 'node port', address: addresses.node, port: NODE_PORT },
  { kind: 'external IP', address: addresses.externalIP, port: PORT },
  { kind: 'load-balancer IP', address: addresses.loadBalancerIP, port: PORT },
];

export function endpoint(ip: string, port = TARGET_PORT, isLocal = false): Endpoint {
  return { ip, port, isLocal, ready: true, serving: true, terminating: false };
}

/** A unit with every kind of frontend and one remote endpoint, unless `over` says otherwise. */
export function servicePort(addresses: Addresses, transport: Transport, over: Partial<ServicePort> = {}): ServicePort {
  const name = over.name ?? 'web';
  const clusterEndpoints = over.clusterEndpoints ?? [endpoint(addresses.endpoint)];
  return {
    key: `default/${name}:http/${transport}/${addresses.family}`,
    namespace: 'default',
    name,
    portName: 'http',
    protocol: transport,
    ipFamily: addresses.family,
    clusterIP: addresses.clusterIP,
    port: PORT,
    nodePort: NODE_PORT,
    externalIPs: [addresses.externalIP],
    loadBalancerVIPs: [addresses.loadBalancerIP],
    sourceRanges: [],
    internalTrafficPolicy: 'Cluster',
    externalTrafficPolicy: 'Cluster',
    sessionAffinitySeconds: 0,
    localEndpoints: [],
    lingeringEndpoints: [],
    hasEndpoints: clusterEndpoints.length > 0 || (over.localEndpoints ?? []).length > 0,
    ...over,
    clusterEndpoints,
  };
}

export interface Segment extends Headers {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly flags?: string; // of TCP; of SCTP the chunk that says the same
  readonly payload?: Uint8Array;
  readonly checksum?: number;
}

/** Ports of a TCP, UDP or SCTP packet. */
export function portsOf(packet: Packet): { sourcePort: number; destinationPort: number } {
  if (!('sourcePort' in packet.l4)) throw new Error(`${packet.l4.kind} has no ports`);
  return { sourcePort: packet.l4.sourcePort, destinationPort: packet.l4.destinationPort };
}

/** What an SCTP end sends where a TCP end sends these flags. */
const CHUNKS: Readonly<Record<string, number>> = {
  ...{ S: SCTP_CHUNK.INIT, SA: SCTP_CHUNK.INIT_ACK, A: SCTP_CHUNK.SACK, PA: SCTP_CHUNK.DATA },
  ...{ FA: SCTP_CHUNK.SHUTDOWN, R: SCTP_CHUNK.ABORT, RA: SCTP_CHUNK.ABORT },
};

/** One packet of this transport: a TCP SYN, an SCTP INIT or a datagram unless the fields say otherwise. */
export function segment(transport: Transport, { flags, ...fields }: Segment): Packet {
  if (transport === 'SCTP') return sctp({ ...fields, chunk: CHUNKS[flags ?? 'S'] ?? SCTP_CHUNK.INIT });
  return transport === 'TCP' ? tcp({ ...fields, ...(flags !== undefined && { flags }) }) : udp(fields);
}
