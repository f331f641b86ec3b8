// Who has which address: the same in both worlds, so that outcomes can be compared as they are.

export type Family = 'IPv4' | 'IPv6';
export const FAMILIES: readonly Family[] = ['IPv4', 'IPv6'];
export type PerFamily<T = string> = Readonly<Record<Family, T>>;
export const familyOf = (address: string): Family => (address.includes(':') ? 'IPv6' : 'IPv4');

export const NODE_NAME = 'node1';
export const CLUSTER_CIDR = '10.244.0.0/16,fd00:10:244::/48';
export const SERVICE_CIDRS = ['10.96.0.0/16', 'fd00:96::/112'];

/** The first is the primary one. */
export const NODE: PerFamily<readonly [string, string]> = {
  IPv4: ['192.0.2.10', '192.0.2.11'],
  IPv6: ['2001:db8:2::10', '2001:db8:2::11'],
};
/** Node ports on one address of IPv4, on both of IPv6, and on loopback where a proxy can. */
export const NODE_PORT_ADDRESSES = '192.0.2.10/32,2001:db8:2::/64,127.0.0.0/8,::1/128';
export const LOOPBACK: PerFamily = { IPv4: '127.0.0.1', IPv6: '::1' };

const host = (ipv4: string, ipv6: string): PerFamily => ({ IPv4: ipv4, IPv6: ipv6 });
/** Pods of this node. */
export const LOCAL_PODS = [2, 3, 4].map((n) => host(`10.244.1.${n}`, `fd00:10:244:1::${n}`));
/** Pods of other nodes that are endpoints. */
export const REMOTE_PODS = [2, 3, 4].map((n) => host(`10.244.2.${n}`, `fd00:10:244:2::${n}`));
/** An endpoint outside the cluster, on no node. */
export const OUTSIDE = host('203.0.113.50', '2001:db8:113::50');
/** A pod of a third node, as a client. */
export const FAR_POD = host('10.244.3.9', 'fd00:10:244:3::9');

/** Clients from outside come from two networks; source ranges tell them apart. */
export const CLIENT_NETWORKS: readonly [PerFamily, PerFamily] = [
  host('100.64.0.0/16', '2001:db8:c0::/64'),
  host('100.65.0.0/16', '2001:db8:c1::/64'),
];
/** number: from 1 to 65534. */
export const clientAddress = (network: number, family: Family, number: number): string =>
  family === 'IPv4' ? `100.${64 + network}.${number >> 8}.${number & 255}` : `2001:db8:c${network}::${number.toString(16)}`;

/** Where a packet is answered that nobody translated: whatever Service it was for. */
export const WITNESS = host('203.0.113.77', '2001:db8:113::77');
export const WITNESS_PORT = 7;

export const TARGET_PORTS = [8080, 8081];

export const SLOTS = 12;
export const clusterIP = (slot: number): PerFamily => host(`10.96.0.${10 + slot}`, `fd00:96::${(0x10 + slot).toString(16)}`);
/** Shared by several Services, on different ports. */
export const externalIP = (slot: number): PerFamily => host(`203.0.113.${1 + (slot % 4)}`, `2001:db8:113::${1 + (slot % 4)}`);
/** Shared likewise. The first is an address of the node, as with load balancers that bind it there. */
export const loadBalancerIP = (slot: number): PerFamily => host(`198.18.0.${1 + (slot % 4)}`, `2001:db8:18::${1 + (slot % 4)}`);
export const unallocated = (n: number): PerFamily => host(`10.96.200.${n}`, `fd00:96::f${n}`);
export const BOUND_VIP = loadBalancerIP(0);
/** Every address that packets are sent to and nobody has: the witness answers for them. */
export const SERVICE_NETWORKS: readonly string[] = [
  ...SERVICE_CIDRS,
  '203.0.113.0/28',
  '198.18.0.0/28',
  '2001:db8:113::/124',
  '2001:db8:18::/124',
];

export const isNodeAddress = (address: string): boolean =>
  FAMILIES.some((family) => NODE[family].includes(address) || LOOPBACK[family] === address || BOUND_VIP[family] === address);

export const MARKER_IP = host('10.96.255.1', 'fd00:96::ff01');
export const MARKER_ENDPOINTS = [1, 2, 3].map((n) => host(`192.0.2.20${n}`, `2001:db8:2::20${n}`));
