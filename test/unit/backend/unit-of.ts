// Units for tests: one with usual values, of which a test says what matters to it.
import type { Endpoint, ServicePort } from '../../../src/state/model.ts';

/** A ready endpoint, '10.244.1.2:8080' or '[fd00::2]:8080'; with ' local' behind it one on this node. */
export function endpointOf(text: string): Endpoint {
  const match = /^\[?(.+?)\]?:(\d+)( local)?$/.exec(text);
  if (!match) throw new TypeError(`not an endpoint: ${text}`);
  const [, ip = '', port, local] = match;
  return { ip, port: Number(port), isLocal: local !== undefined, ready: true, serving: true, terminating: false };
}

/** default/web:http on TCP port 80, a ClusterIP without endpoints. */
export function unitOf(values: Partial<ServicePort> = {}): ServicePort {
  const unit: Omit<ServicePort, 'key'> = {
    namespace: 'default',
    name: 'web',
    portName: 'http',
    protocol: 'TCP',
    ipFamily: 'IPv4',
    clusterIP: '10.96.0.10',
    port: 80,
    nodePort: 0,
    externalIPs: [],
    loadBalancerVIPs: [],
    sourceRanges: [],
    internalTrafficPolicy: 'Cluster',
    externalTrafficPolicy: 'Cluster',
    sessionAffinitySeconds: 0,
    clusterEndpoints: [],
    localEndpoints: [],
    lingeringEndpoints: [],
    hasEndpoints: false,
    ...values,
  };
  return { key: `${unit.namespace}/${unit.name}:${unit.portName}/${unit.protocol}/${unit.ipFamily}`, ...unit };
}
