// Services for the benchmarks of packets, as the programmer takes them: number n with its ClusterIP, port 80, endpoints on other nodes.
import type { ServicePort } from '../src/state/model.ts';
import { clusterIpOf, podIpOf } from './objects.ts';

export function servicePort(n: number, endpointsEach: number, sessionAffinitySeconds: number): ServicePort {
  const clusterEndpoints = Array.from({ length: endpointsEach }, (_, e) => ({
    ...{ ip: podIpOf(n, e), port: 8080, isLocal: false },
    ...{ ready: true, serving: true, terminating: false },
  }));
  return {
    key: `bench/svc-${n}:http/TCP/IPv4`,
    namespace: 'bench',
    name: `svc-${n}`,
    portName: 'http',
    protocol: 'TCP',
    ipFamily: 'IPv4',
    clusterIP: clusterIpOf(n),
    port: 80,
    nodePort: 0,
    externalIPs: [],
    loadBalancerVIPs: [],
    sourceRanges: [],
    internalTrafficPolicy: 'Cluster',
    externalTrafficPolicy: 'Cluster',
    sessionAffinitySeconds,
    clusterEndpoints,
    localEndpoints: [],
    lingeringEndpoints: [],
    hasEndpoints: endpointsEach > 0,
  };
}
