// Who sends and who is sent to: frontends, clients, addresses that mean something and some that mean nothing.
import { FAMILIES, NODE_ADDRESSES, NUMBERS, nodePortOf, PORT, TARGET_PORT } from '../cluster.ts';
import { type Address, addressOf } from '../model/address.ts';

export interface Target {
  readonly address: Address;
  readonly port: number;
}

/** All of one family. */
export interface Cast {
  readonly isV4: boolean;
  readonly clients: readonly Address[]; // outside and pods
  readonly frontends: readonly Target[];
  readonly clusterIPs: readonly Address[];
  readonly unallocated: readonly Address[]; // of the ServiceCIDR
  readonly node: readonly Address[];
  readonly router: Address;
  readonly strangers: readonly Address[];
}

export const CASTS: readonly Cast[] = FAMILIES.map((family) => {
  const node = [...NODE_ADDRESSES.keys()].map(addressOf).filter((_, i) => i < 2 === (family.ipFamily === 'IPv4'));
  return {
    isV4: family.ipFamily === 'IPv4',
    clients: [...family.clients, ...family.clients, ...family.pods, ...family.pods, family.remotePods[0]!].map(addressOf),
    frontends: NUMBERS.flatMap((number) => [
      { address: addressOf(`${family.cluster}${number}`), port: PORT },
      { address: addressOf(`${family.external}${number}`), port: PORT },
      { address: addressOf(`${family.loadBalancer}${number}`), port: PORT },
      { address: node[0]!, port: nodePortOf(number) },
    ]),
    clusterIPs: NUMBERS.map((number) => addressOf(`${family.cluster}${number}`)),
    unallocated: [50, 60].map((number) => addressOf(`${family.cluster}${number}`)),
    node,
    router: addressOf(family.router),
    strangers: [...family.remotePods, family.router, ...family.clients].map(addressOf),
  };
});

export const SNAT_PORT_MIN = 10240;
export const SNAT_PORT_MAX = 10255;

/** Few, so that clients come back and flows collide; some in our own range, one a Service's and one an endpoint's. */
export const CLIENT_PORTS: readonly number[] = [
  ...Array.from({ length: 24 }, (_, i) => 40000 + i),
  ...[SNAT_PORT_MIN, SNAT_PORT_MIN + 1, SNAT_PORT_MIN + 9, SNAT_PORT_MAX, nodePortOf(NUMBERS[0]!), TARGET_PORT, PORT],
];
