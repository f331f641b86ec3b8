// Objects for tests: usual values, of which a test says what matters to it.
import { ClusterState } from '../../../src/state/cluster-state.ts';
import type { ClusterObject, EndpointSlice, Service, ServicePort, SliceEndpoint } from '../../../src/state/model.ts';

export const NODE = 'node-a';

/** default/web: ClusterIP 10.96.0.10, one port 'http' 80/TCP. */
export function serviceOf(values: Partial<Service> = {}): Service {
  return {
    kind: 'Service',
    namespace: 'default',
    name: 'web',
    type: 'ClusterIP',
    labels: {},
    clusterIPs: ['10.96.0.10'],
    externalIPs: [],
    loadBalancerVIPs: [],
    loadBalancerSourceRanges: [],
    ports: [portOf('http', 80)],
    internalTrafficPolicy: 'Cluster',
    externalTrafficPolicy: 'Cluster',
    sessionAffinitySeconds: 0,
    healthCheckNodePort: 0,
    ...values,
  };
}

export function portOf(name: string, port: number, values: Partial<Service['ports'][number]> = {}): Service['ports'][number] {
  return { name, protocol: 'TCP', port, nodePort: 0, ...values };
}

/** A ready endpoint on another node. */
export function podOf(address: string, values: Partial<SliceEndpoint> = {}): SliceEndpoint {
  const conditions = { ready: true, serving: true, terminating: false };
  return { address, nodeName: 'node-b', ...conditions, zoneHints: [], nodeHints: [], ...values };
}

/** default/web-1: of Service web, port 'http' 8080/TCP, IPv4. */
export function sliceOf(addresses: readonly (string | SliceEndpoint)[], values: Partial<EndpointSlice> = {}): EndpointSlice {
  return {
    kind: 'EndpointSlice',
    namespace: 'default',
    name: 'web-1',
    serviceName: 'web',
    labels: {},
    ipFamily: 'IPv4',
    ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
    endpoints: addresses.map((address) => (typeof address === 'string' ? podOf(address) : address)),
    ...values,
  };
}

/** The state of this node after these objects, in this order. */
export function stateOf(...objects: ClusterObject[]): ClusterState {
  const state = new ClusterState(NODE);
  for (const object of objects) state.upsert(object);
  return state;
}

export function unitsOf(state: ClusterState): ServicePort[] {
  return [...state.desired().servicePorts.values()];
}

/** The unit 'web:http/TCP/IPv4' of namespace default. */
export function unitIn(state: ClusterState, key: string): ServicePort {
  const unit = state.desired().servicePorts.get(`default/${key}`);
  if (!unit) throw new Error(`no unit default/${key}`);
  return unit;
}
