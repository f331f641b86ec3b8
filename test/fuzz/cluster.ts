// The Services that the packets meet: small, so that flows collide, and of every kind. Redrawn in each round and changed within.
import type { Endpoint, ServicePort } from '../../src/state/model.ts';
import type { Dice } from './packets/dice.ts';

interface Family {
  readonly ipFamily: 'IPv4' | 'IPv6';
  readonly cluster: string; // prefixes, to which a number is added
  readonly external: string;
  readonly loadBalancer: string;
  readonly node: string;
  readonly otherNodeAddress: string; // without node ports
  readonly pods: readonly string[]; // of this node
  readonly remotePods: readonly string[];
  readonly clients: readonly string[];
  readonly allowed: string; // source range: the first client only
  readonly router: string;
}

export const V4: Family = {
  ...{ ipFamily: 'IPv4', cluster: '10.96.0.', external: '203.0.113.', loadBalancer: '203.0.113.1' },
  ...{ node: '192.0.2.1', otherNodeAddress: '192.0.2.2', router: '198.51.100.254' },
  pods: ['10.244.0.5', '10.244.0.6'],
  remotePods: ['10.244.1.20', '10.244.2.30', '10.244.3.40'],
  clients: ['198.51.100.7', '198.51.100.8', '198.51.101.9'],
  allowed: '198.51.100.7/32',
};

export const V6: Family = {
  ...{ ipFamily: 'IPv6', cluster: 'fd00:96::', external: '2001:db8:113::', loadBalancer: '2001:db8:113::1' },
  ...{ node: '2001:db8::1', otherNodeAddress: '2001:db8::2', router: '2001:db8:51::fe' },
  pods: ['fd00:244::5', 'fd00:244::6'],
  remotePods: ['fd00:244:1::20', 'fd00:244:2::30', 'fd00:244:3::40'],
  clients: ['2001:db8:51::7', '2001:db8:51::8', '2001:db8:52::9'],
  allowed: '2001:db8:51::7/128',
};

export const FAMILIES = [V4, V6] as const;
export const POD_CIDRS = ['10.244.0.0/16', 'fd00:244::/32'];
export const SERVICE_CIDRS = ['10.96.0.0/24', 'fd00:96::/120'];
export const NODE_ADDRESSES: ReadonlyMap<string, { readonly nodePorts: boolean }> = new Map(
  FAMILIES.flatMap(({ node, otherNodeAddress }): [string, { nodePorts: boolean }][] => [
    [node, { nodePorts: true }],
    [otherNodeAddress, { nodePorts: false }],
  ]),
);

export const PORT = 80;
export const TARGET_PORT = 8080;
export const TRANSPORTS = ['TCP', 'UDP', 'SCTP'] as const;

/** What makes each Service special; its number is its address's last part and its node port. */
const KINDS: Readonly<
  Record<string, { readonly number: number; readonly over: (family: Family, dice: Dice) => Partial<ServicePort> }>
> = {
  web: { number: 10, over: (family, dice) => ({ clusterEndpoints: someEndpoints(family, dice, TARGET_PORT) }) },
  // Another VIP with the same backends (rule 5).
  twin: { number: 11, over: (family, dice) => ({ clusterEndpoints: someEndpoints(family, dice, TARGET_PORT) }) },
  empty: { number: 12, over: () => ({ clusterEndpoints: [], hasEndpoints: false }) },
  // No port changes, so fragments of SCTP pass too.
  same: { number: 13, over: (family, dice) => ({ clusterEndpoints: someEndpoints(family, dice, PORT) }) },
  away: {
    number: 14,
    over: (family) => ({ externalTrafficPolicy: 'Local', clusterEndpoints: [endpoint(family.remotePods[0]!, TARGET_PORT)] }),
  },
  near: {
    number: 15,
    over: (family) => {
      const local = [endpoint(family.pods[0]!, TARGET_PORT, true)];
      const clusterEndpoints = [...local, endpoint(family.remotePods[1]!, TARGET_PORT)];
      return { internalTrafficPolicy: 'Local', externalTrafficPolicy: 'Local', localEndpoints: local, clusterEndpoints };
    },
  },
  ranges: {
    number: 16,
    over: (family, dice) => ({ sourceRanges: [family.allowed], clusterEndpoints: someEndpoints(family, dice, TARGET_PORT) }),
  },
  sticky: {
    number: 17,
    over: (family, dice) => ({ sessionAffinitySeconds: 10800, clusterEndpoints: someEndpoints(family, dice, TARGET_PORT) }),
  },
  inner: {
    number: 18,
    over: (family) => ({ internalTrafficPolicy: 'Local', clusterEndpoints: [endpoint(family.remotePods[2]!, TARGET_PORT)] }),
  },
  self: { number: 19, over: (family) => ({ clusterEndpoints: [endpoint(family.pods[1]!, TARGET_PORT, true)] }) },
};
export const NUMBERS: readonly number[] = Object.values(KINDS).map(({ number }) => number);
export const nodePortOf = (number: number): number => 30000 + number;

function endpoint(ip: string, port: number, isLocal = false): Endpoint {
  return { ip, port, isLocal, ready: true, serving: true, terminating: false };
}

/** At least one: the others come and go. */
function someEndpoints({ pods, remotePods, node }: Family, dice: Dice, port: number): Endpoint[] {
  const all = [
    ...remotePods.map((ip) => endpoint(ip, port)),
    ...pods.map((ip) => endpoint(ip, port, true)),
    endpoint(node, port, true), // a pod of the host's network
  ];
  const chosen = all.filter(() => dice.chance(40));
  return chosen.length > 0 ? chosen : [dice.pick(all)];
}

function unitOf(name: string, family: Family, protocol: (typeof TRANSPORTS)[number], dice: Dice): ServicePort {
  const { number, over } = KINDS[name]!;
  const { ipFamily } = family;
  const special = over(family, dice);
  return {
    ...{ key: `default/${name}:http/${protocol}/${ipFamily}`, namespace: 'default', name, portName: 'http', protocol, ipFamily },
    ...{ clusterIP: `${family.cluster}${number}`, port: PORT, nodePort: nodePortOf(number) },
    ...{ externalIPs: [`${family.external}${number}`], loadBalancerVIPs: [`${family.loadBalancer}${number}`] },
    ...{ sourceRanges: [], internalTrafficPolicy: 'Cluster', externalTrafficPolicy: 'Cluster', sessionAffinitySeconds: 0 },
    ...{ localEndpoints: [], lingeringEndpoints: [], clusterEndpoints: [], hasEndpoints: true },
    ...special,
  };
}

/** Every kind of Service, over each transport in each family. */
export function drawServices(dice: Dice): Map<string, ServicePort> {
  const units = Object.keys(KINDS).flatMap((name) =>
    FAMILIES.flatMap((family) => TRANSPORTS.map((protocol) => unitOf(name, family, protocol, dice))),
  );
  return new Map(units.map((unit) => [unit.key, unit]));
}

/** Some units get other endpoints, some go, some come back; endpoints that leave may linger. */
export function changeServices(units: Map<string, ServicePort>, dice: Dice): void {
  for (let count = 0; count < 12; count++) {
    const name = dice.pick(Object.keys(KINDS));
    const unit = unitOf(name, dice.pick(FAMILIES), dice.pick(TRANSPORTS), dice);
    const before = units.get(unit.key);
    if (before && dice.chance(15)) units.delete(unit.key);
    else {
      const left = (before?.clusterEndpoints ?? []).filter(({ ip }) => unit.clusterEndpoints.every((other) => other.ip !== ip));
      units.set(unit.key, dice.chance(30) ? { ...unit, lingeringEndpoints: left } : unit);
    }
  }
}
