// Random Services and EndpointSlices, such as an API server accepts.
import {
  CLIENT_NETWORKS,
  clusterIP,
  externalIP,
  FAMILIES,
  type Family,
  LOCAL_PODS,
  loadBalancerIP,
  NODE,
  NODE_NAME,
  OUTSIDE,
  REMOTE_PODS,
  TARGET_PORTS,
} from './addresses.ts';
import type { Dice } from './dice.ts';
import type { Feature, Features } from './features.ts';
import { type Endpoint, NAMESPACE, type Policy, type Protocol, type Service, type ServicePort, type Slice } from './objects.ts';

export interface Generator {
  readonly dice: Dice;
  readonly features: Features;
}

export const nameOf = (slot: number): string => `s${slot}`;
export const slotOf = (name: string): number => Number(name.slice(1));
const ZONES = ['a', 'b', 'c'];
/** Of the node; d is no endpoint's. */
export const NODE_ZONES = ['', 'a', 'b', 'd'];
const OTHER_NODE = 'node2';

const allowed = <T>({ features }: Generator, feature: Feature, values: readonly T[], otherwise: readonly T[]): readonly T[] =>
  features.has(feature) ? values : otherwise;

export function randomPorts(generator: Generator, slot: number, hasNodePort: boolean): ServicePort[] {
  const { dice, features } = generator;
  const protocols: Protocol[] = [
    'TCP',
    ...(features.has('udp') ? (['UDP'] as const) : []),
    ...(features.has('sctp') ? (['SCTP'] as const) : []),
  ];
  // One number for all protocols, as DNS has; and sometimes a second one.
  const chosen = dice.some(protocols, dice.between(1, protocols.length));
  const ports = chosen.map((protocol) => ({ name: protocol.toLowerCase(), protocol, port: 80 + slot, nodePort: 30000 + slot }));
  if (dice.chance(30)) ports.push({ name: 'second', protocol: dice.pick(protocols), port: 8080 + slot, nodePort: 30100 + slot });
  if (ports.length === 1 && dice.chance(50)) ports[0]!.name = '';
  return ports.map(({ nodePort, ...port }) => (hasNodePort ? { ...port, nodePort } : port));
}

export function randomRanges({ dice }: Generator): string[] {
  const ranges = [
    ...CLIENT_NETWORKS.flatMap((network) => FAMILIES.map((family) => network[family])),
    '10.244.0.0/16',
    'fd00:10:244::/48',
    '10.244.1.3/32',
    '192.0.2.0/24',
    '2001:db8:2::/64',
  ];
  return dice.some(ranges, dice.between(1, 4));
}

export function randomService(generator: Generator, slot: number): Service {
  const { dice, features } = generator;
  const families = dice.pick(
    allowed<readonly Family[]>(generator, 'ipv6', [['IPv4', 'IPv6'], ['IPv6', 'IPv4'], ['IPv4'], ['IPv6']], [['IPv4']]),
  );
  const clusterIPs = families.map((family) => clusterIP(slot)[family]);
  const types = (['ClusterIP', 'NodePort', 'LoadBalancer'] as const).filter(
    (type) => (type !== 'NodePort' || features.has('node-ports')) && (type !== 'LoadBalancer' || features.has('load-balancers')),
  );
  const type = dice.pick(types);
  const isLoadBalancer = type === 'LoadBalancer';
  const externalIPs = features.has('external-ips') && dice.chance(35) ? families.map((family) => externalIP(slot)[family]) : [];
  const isExternal = type !== 'ClusterIP' || externalIPs.length > 0;
  const policies: readonly Policy[] = ['Cluster', 'Local'];
  const hasAffinity = features.has('affinity') && dice.chance(20);
  const ranges = isLoadBalancer && features.has('source-ranges') && dice.chance(40) ? randomRanges(generator) : [];
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: NAMESPACE, name: nameOf(slot) },
    spec: {
      type,
      clusterIP: clusterIPs[0]!,
      clusterIPs,
      ipFamilies: families,
      ports: randomPorts(generator, slot, type !== 'ClusterIP' && features.has('node-ports')),
      ...(externalIPs.length > 0 && { externalIPs }),
      internalTrafficPolicy: dice.chance(25) ? dice.pick(allowed(generator, 'internal-local', policies, ['Cluster'])) : 'Cluster',
      ...(isExternal && { externalTrafficPolicy: dice.pick(allowed(generator, 'external-local', policies, ['Cluster'])) }),
      sessionAffinity: hasAffinity ? 'ClientIP' : 'None',
      ...(hasAffinity && { sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } } }),
      ...(ranges.length > 0 && { loadBalancerSourceRanges: ranges }),
    },
    ...(isLoadBalancer && { status: randomStatus(generator, slot, families) }),
  };
}

export function randomStatus({ dice }: Generator, slot: number, families: readonly Family[]): NonNullable<Service['status']> {
  const mode = dice.pick([{}, { ipMode: 'VIP' }, { ipMode: 'VIP' }, { ipMode: 'Proxy' }] as const);
  return { loadBalancer: { ingress: families.map((family) => ({ ip: loadBalancerIP(slot)[family], ...mode })) } };
}

export function randomConditions({ dice, features }: Generator): Endpoint['conditions'] {
  const states: readonly Endpoint['conditions'][] = [{}, { ready: true }, { ready: true, serving: true, terminating: false }];
  const unready: readonly Endpoint['conditions'][] = [{ ready: false }, { ready: false, serving: false, terminating: false }];
  const leaving: readonly Endpoint['conditions'][] = [
    { ready: false, serving: true, terminating: true },
    { ready: false, serving: true, terminating: true },
    { ready: false, serving: false, terminating: true },
  ];
  const roll = dice.between(1, 100);
  if (roll <= 65) return dice.pick(states);
  return dice.pick(roll <= 80 || !features.has('terminating') ? unready : leaving);
}

interface Place {
  readonly address: string;
  readonly nodeName?: string;
}

/** Where an endpoint may be, in one family. */
function places({ features }: Generator, family: Family): Place[] {
  return [
    ...LOCAL_PODS.map((pod) => ({ address: pod[family], nodeName: NODE_NAME })),
    ...REMOTE_PODS.map((pod) => ({ address: pod[family], nodeName: OTHER_NODE })),
    ...(features.has('host-endpoints') ? [{ address: NODE[family][0], nodeName: NODE_NAME }] : []),
    { address: OUTSIDE[family] },
  ];
}

type HintKind = 'none' | 'zones' | 'nodes' | 'both';

function randomHints({ dice }: Generator, kind: HintKind): Pick<Endpoint, 'hints'> {
  if (kind === 'none' || dice.chance(5)) return {};
  const forZones = dice.some(ZONES, dice.between(1, 2)).map((name) => ({ name }));
  const forNodes = [{ name: dice.pick([NODE_NAME, OTHER_NODE]) }];
  return { hints: { ...(kind !== 'nodes' && { forZones }), ...(kind !== 'zones' && { forNodes }) } };
}

/** One or two slices for each family; no endpoint twice, except that a terminating one may have its address again in another slice. */
export function randomSlices(generator: Generator, { metadata, spec }: Service): Slice[] {
  const { dice, features } = generator;
  const kind = features.has('hints') && dice.chance(35) ? dice.pick(['zones', 'nodes', 'both'] as const) : 'none';
  return spec.ipFamilies.flatMap((family) => {
    const chosen = dice.some(places(generator, family), dice.between(0, 5));
    const slices = dice.chance(35) ? 2 : 1;
    const parts = Array.from({ length: slices }, (_, n) => chosen.filter((_, i) => i % slices === n));
    return parts.map((part, n) => {
      const endpoints = part.map(({ address, nodeName }) => ({
        addresses: [address],
        ...(nodeName && { nodeName }),
        conditions: randomConditions(generator),
        ...randomHints(generator, kind),
      }));
      return sliceOf(metadata.name, family, n, slicePorts(generator, spec.ports), endpoints);
    });
  });
}

/** Each slice has numbers of its own; now and then it lacks a port, or has one that the Service does not know. */
function slicePorts({ dice }: Generator, ports: readonly ServicePort[]): Slice['ports'] {
  const known = ports
    .filter(() => dice.chance(95))
    .map(({ name, protocol }) => ({ name, protocol, port: dice.pick(TARGET_PORTS) }));
  return dice.chance(10) ? [...known, { name: 'unknown', protocol: 'TCP', port: TARGET_PORTS[0]! }] : known;
}

export function sliceOf(
  service: string,
  addressType: Family,
  n: number,
  ports: Slice['ports'],
  endpoints: readonly Endpoint[],
): Slice {
  const labels = { 'kubernetes.io/service-name': service };
  const metadata = { namespace: NAMESPACE, name: `${service}-${addressType.toLowerCase()}-${n}`, labels };
  return { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata, addressType, ports, endpoints };
}
