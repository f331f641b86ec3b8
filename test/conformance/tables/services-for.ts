// Services for cases that have slices only, or Services no API server would take: one for each that the slices speak of.
import type { EndpointSlice, IpFamily, Service } from '../../../src/state/model.ts';

const CLUSTER_IPS = { IPv4: (n: number) => `10.96.${n >> 8}.${n & 255}`, IPv6: (n: number) => `fd00:96::${n.toString(16)}` };

/** Load balancers with every port of the slices, and a health-check node port: what kube-proxy's tracker counts, they show. */
export function servicesFor(slices: readonly EndpointSlice[]): Service[] {
  const ports = new Map<string, Map<string, Service['ports'][number]>>();
  for (const slice of slices) {
    const key = `${slice.namespace}/${slice.serviceName}`;
    const known = ports.get(key) ?? new Map();
    ports.set(key, known);
    for (const { name, protocol } of slice.ports) {
      known.set(`${name}/${protocol}`, { name, protocol, port: known.size + 1, nodePort: 0 });
    }
  }
  return [...ports].map(([key, ofService], n): Service => {
    const [namespace = '', name = ''] = key.split('/');
    const families: IpFamily[] = ['IPv4', 'IPv6'];
    return {
      kind: 'Service',
      namespace,
      name,
      type: 'LoadBalancer',
      labels: {},
      clusterIPs: families.map((family) => CLUSTER_IPS[family](n + 1)),
      externalIPs: [],
      loadBalancerVIPs: [],
      loadBalancerSourceRanges: [],
      ports: [...ofService.values()],
      internalTrafficPolicy: 'Cluster',
      externalTrafficPolicy: 'Local',
      sessionAffinitySeconds: 0,
      healthCheckNodePort: 30_000 + n,
    };
  });
}
