// Endpoints of one unit: slices merged, duplicates collapsed, the lists that traffic policies use. (kube-proxy-parity.md 5.3, 5.4)
import type { Endpoint, EndpointSlice, IpFamily, ServicePort } from './model.ts';
import type { BareServicePort } from './service-ports.ts';
import { type Hinted, type NodePlace, nearestEndpoints } from './topology.ts';

export interface EndpointLists {
  readonly clusterEndpoints: readonly Endpoint[];
  readonly localEndpoints: readonly Endpoint[];
  readonly lingeringEndpoints: readonly Endpoint[];
  readonly hasEndpoints: boolean;
}

/** What ties a port of the slices to a unit. */
export type PortKey = Pick<ServicePort, 'ipFamily' | 'portName' | 'protocol'>;

export interface MergedEndpoint extends Hinted {
  readonly endpoint: Endpoint;
}

/** The ports that slices carry in a family, each once, in the order of the slices. */
export function portsOf(slices: Iterable<EndpointSlice>, ipFamily: IpFamily): PortKey[] {
  const ports = new Map<string, PortKey>();
  for (const slice of slices) {
    if (slice.ipFamily !== ipFamily) continue;
    for (const { name, protocol } of slice.ports) ports.set(`${protocol}/${name}`, { ipFamily, portName: name, protocol });
  }
  return [...ports.values()];
}

/**
 * Every endpoint of the unit, unique by ip and port, sorted by 'ip:port'. A slice port belongs to the unit by its name
 * (never by targetPort); its number may differ from slice to slice. Of two copies the later one counts unless it is
 * terminating: a running pod wins over a terminating one whose address it got.
 */
export function mergeEndpoints(slices: Iterable<EndpointSlice>, unit: PortKey, nodeName: string): MergedEndpoint[] {
  const merged = new Map<string, MergedEndpoint>();
  for (const slice of slices) {
    if (slice.ipFamily !== unit.ipFamily) continue;
    for (const port of slice.ports) {
      if (port.name !== unit.portName || port.protocol !== unit.protocol) continue;
      for (const { address, nodeName: onNode, ready, serving, terminating, zoneHints, nodeHints } of slice.endpoints) {
        const key = unit.ipFamily === 'IPv6' ? `[${address}]:${port.port}` : `${address}:${port.port}`;
        if (terminating && merged.has(key)) continue;
        const endpoint = { ip: address, port: port.port, isLocal: onNode === nodeName, ready, serving, terminating };
        merged.set(key, { endpoint, zoneHints, nodeHints });
      }
    }
  }
  return [...merged.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint);
}

const isReady = ({ endpoint }: MergedEndpoint): boolean => endpoint.ready;
const isDraining = ({ endpoint }: MergedEndpoint): boolean => endpoint.serving && endpoint.terminating;

/**
 * Ready endpoints; where there are none, those that still serve while they terminate (KEP-1669). The cluster list and the
 * local one fall back independently; a list that no traffic of the unit can use is empty.
 */
export function endpointLists(slices: Iterable<EndpointSlice>, unit: BareServicePort, place: NodePlace): EndpointLists {
  const all = mergeEndpoints(slices, unit, place.nodeName);
  const ready = all.filter(isReady);
  const cluster = ready.length > 0 ? nearestEndpoints(ready, place) : all.filter(isDraining);
  const localReady = ready.filter(({ endpoint }) => endpoint.isLocal);
  const local = localReady.length > 0 ? localReady : all.filter((merged) => merged.endpoint.isLocal && isDraining(merged));
  const plain = (list: readonly MergedEndpoint[]): Endpoint[] => list.map(({ endpoint }) => endpoint);
  const clusterEndpoints = usesClusterEndpoints(unit) ? plain(cluster) : [];
  const localEndpoints = usesLocalEndpoints(unit) ? plain(local) : [];
  return {
    clusterEndpoints,
    localEndpoints,
    lingeringEndpoints: clusterEndpoints.length === all.length ? [] : lingering(all, clusterEndpoints, localEndpoints),
    hasEndpoints: ready.length > 0 || all.some(isDraining),
  };
}

/**
 * Endpoints that no new flow is sent to, though they serve: kube-proxy's UDP clean-up leaves flows to them alone, whatever
 * topology and traffic policy say (5.6). The API's rule is that ready implies serving; objects may not keep it.
 */
function lingering(all: readonly MergedEndpoint[], ...used: readonly (readonly Endpoint[])[]): Endpoint[] {
  const isUsed = new Set(used.flat());
  return all.flatMap(({ endpoint }) => ((endpoint.serving || endpoint.ready) && !isUsed.has(endpoint) ? [endpoint] : []));
}

function isExternallyAccessible(unit: BareServicePort): boolean {
  return unit.nodePort > 0 || unit.externalIPs.length > 0 || unit.loadBalancerVIPs.length > 0;
}

/** Also under externalTrafficPolicy Local: traffic from this node's pods takes the short way to any endpoint. */
function usesClusterEndpoints(unit: BareServicePort): boolean {
  return unit.internalTrafficPolicy !== 'Local' || isExternallyAccessible(unit);
}

function usesLocalEndpoints(unit: BareServicePort): boolean {
  return unit.internalTrafficPolicy === 'Local' || (unit.externalTrafficPolicy === 'Local' && isExternallyAccessible(unit));
}
