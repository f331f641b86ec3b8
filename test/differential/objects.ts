// The objects both proxies see, and what follows from them without knowing what a proxy does.
import { isEqual } from '../../src/state/equality.ts';
import { CLUSTER_CIDR, FAMILIES, type Family, familyOf, NODE, NODE_NAME, SERVICE_CIDRS } from './addresses.ts';

export type Protocol = 'TCP' | 'UDP' | 'SCTP';
export interface Metadata {
  readonly namespace?: string;
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>>;
}
export interface ServicePort {
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
  readonly nodePort?: number;
}
export type Policy = 'Cluster' | 'Local';
export interface ServiceSpec {
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer';
  readonly clusterIP: string;
  readonly clusterIPs: readonly string[];
  readonly ipFamilies: readonly Family[];
  readonly ports: readonly ServicePort[];
  readonly externalIPs?: readonly string[];
  readonly internalTrafficPolicy: Policy;
  readonly externalTrafficPolicy?: Policy;
  readonly sessionAffinity: 'None' | 'ClientIP';
  readonly sessionAffinityConfig?: { readonly clientIP: { readonly timeoutSeconds: number } };
  readonly loadBalancerSourceRanges?: readonly string[];
}
export interface Ingress {
  readonly ip: string;
  readonly ipMode?: 'VIP' | 'Proxy';
}
export interface Service {
  readonly apiVersion: 'v1';
  readonly kind: 'Service';
  readonly metadata: Metadata;
  readonly spec: ServiceSpec;
  readonly status?: { readonly loadBalancer: { readonly ingress: readonly Ingress[] } };
}
export interface Endpoint {
  readonly addresses: readonly string[];
  readonly nodeName?: string;
  readonly conditions: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean };
  readonly hints?: { readonly forZones?: readonly { name: string }[]; readonly forNodes?: readonly { name: string }[] };
}
export interface Slice {
  readonly apiVersion: 'discovery.k8s.io/v1';
  readonly kind: 'EndpointSlice';
  readonly metadata: Metadata;
  readonly addressType: Family;
  readonly ports: readonly { readonly name: string; readonly protocol: Protocol; readonly port: number }[];
  readonly endpoints: readonly Endpoint[];
}
export type ApiObject = { readonly apiVersion: string; readonly kind: string; readonly metadata: Metadata };

/** Everything there is at one moment. Values are never changed in place. */
export interface Objects {
  readonly services: ReadonlyMap<string, Service>; // by name; a Service's slot is in its name
  readonly slices: ReadonlyMap<string, readonly Slice[]>; // by the Service's name
  readonly zone: string; // of the node; '' : none
}

export const NO_OBJECTS: Objects = { services: new Map(), slices: new Map(), zone: '' };
export const NAMESPACE = 'default';
export const PROXY_NAME = 'service.kubernetes.io/service-proxy-name';

const SERVICES = '/api/v1/services';
const SLICES = '/apis/discovery.k8s.io/v1/endpointslices';
export const NODES = '/api/v1/nodes';
const CIDRS = '/apis/networking.k8s.io/v1/servicecidrs';
export const PATHS: Readonly<Record<string, { readonly apiVersion: string; readonly kind: string }>> = {
  [SERVICES]: { apiVersion: 'v1', kind: 'Service' },
  [SLICES]: { apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice' },
  [NODES]: { apiVersion: 'v1', kind: 'Node' },
  [CIDRS]: { apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR' },
};

export interface ApiEvent {
  readonly type: 'set' | 'delete';
  readonly path: string;
  readonly object: ApiObject;
}

export function nodeObject(zone: string): ApiObject {
  const labels: Record<string, string> = { 'kubernetes.io/hostname': NODE_NAME };
  if (zone !== '') labels['topology.kubernetes.io/zone'] = zone;
  const addresses = FAMILIES.flatMap((family) => NODE[family]).map((address) => ({ type: 'InternalIP', address }));
  const podCIDRs = CLUSTER_CIDR.split(',').map((cidr) => cidr.replace('.0.0/16', '.1.0/24').replace('::/48', ':1::/64'));
  const node = { spec: { podCIDR: podCIDRs[0], podCIDRs }, status: { addresses } };
  return { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE_NAME, labels }, ...node };
}

/** What there is before the first Service. */
export function startEvents(): ApiEvent[] {
  const cidrs = { ...PATHS[CIDRS]!, metadata: { name: 'kubernetes' }, spec: { cidrs: SERVICE_CIDRS } };
  return [
    { type: 'set', path: NODES, object: nodeObject('') },
    { type: 'set', path: CIDRS, object: cidrs },
  ];
}

/** What an API server tells when `before` becomes `after`. */
export function eventsBetween(before: Objects, after: Objects): ApiEvent[] {
  const list = ({ services, slices, zone }: Objects): Map<string, { path: string; object: ApiObject }> =>
    new Map([
      ['node', { path: NODES, object: nodeObject(zone) }],
      ...[...services.values()].map((object) => [`service ${object.metadata.name}`, { path: SERVICES, object }] as const),
      ...[...slices.values()].flat().map((object) => [`slice ${object.metadata.name}`, { path: SLICES, object }] as const),
    ]);
  const old = list(before);
  const events: ApiEvent[] = [];
  const now = list(after);
  for (const [key, { path, object }] of old) if (!now.has(key)) events.push({ type: 'delete', path, object });
  for (const [key, { path, object }] of now) {
    if (!isEqual(object, old.get(key)?.object)) events.push({ type: 'set', path, object });
  }
  return events;
}

export type FrontendKind = 'ClusterIP' | 'externalIP' | 'load-balancer IP' | 'node port';
/** An address and port that some proxy may serve; for a node port, one for each address of the node. */
export interface Frontend {
  readonly kind: FrontendKind;
  readonly service: string;
  readonly port: ServicePort;
  readonly address: string;
  readonly number: number;
}

export function frontendsOf({ metadata, spec, status }: Service): Frontend[] {
  const vips = (status?.loadBalancer.ingress ?? []).map(({ ip }) => ip);
  return spec.ports.flatMap((port) => {
    const make = (kind: FrontendKind, addresses: readonly string[], number = port.port): Frontend[] =>
      addresses.map((address) => ({ kind, service: metadata.name, port, address, number }));
    const nodeAddresses = FAMILIES.flatMap((family) => NODE[family]);
    return [
      ...make('ClusterIP', spec.clusterIPs),
      ...make('externalIP', spec.externalIPs ?? []),
      ...make('load-balancer IP', vips),
      ...(port.nodePort ? make('node port', nodeAddresses, port.nodePort) : []),
    ];
  });
}

/** 'ip:port' of every endpoint that a Service's port could lead to in one family, whatever its state; `which` leaves some out. */
export function endpointsOf(
  slices: readonly Slice[],
  port: Pick<ServicePort, 'name' | 'protocol'>,
  family: Family,
  which: (endpoint: Endpoint) => boolean = () => true,
): string[] {
  const found = slices
    .filter((slice) => slice.addressType === family)
    .flatMap((slice) =>
      slice.ports
        .filter((one) => one.name === port.name && one.protocol === port.protocol)
        .flatMap((one) => slice.endpoints.filter(which).map(({ addresses }) => hostPort(addresses[0] ?? '', one.port))),
    );
  return [...new Set(found)];
}

export const hostPort = (address: string, port: number): string =>
  familyOf(address) === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
/** Nil counts as ready, and as serving. */
export const isReady = ({ conditions }: Endpoint): boolean => conditions.ready ?? true;
export const isServing = ({ conditions }: Endpoint): boolean => conditions.serving ?? true;
