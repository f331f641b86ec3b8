// A cluster of a given size, as objects: each Service with one port and one EndpointSlice, endpoints spread over many nodes.
import type { Manifest } from '../lab/turnout.ts';

export interface Size {
  readonly services: number;
  readonly endpointsEach: number;
}

export const NODE_NAME = 'bench-node';

/** Address number `n` of a /8 or /12, as text. */
const ipv4 = (base: number, n: number): string => {
  const address = base + n;
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
};
const SERVICES = 0x0a60_0000; // 10.96.0.0/12
const PODS = 0x0b00_0000; // 11.0.0.0/8

export const clusterIpOf = (service: number): string => ipv4(SERVICES, service + 1);
export const podIpOf = (service: number, endpoint: number): string => ipv4(PODS, service * 64 + endpoint + 1);

export function serviceOf(n: number): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'bench', name: `svc-${n}` },
    spec: {
      type: 'ClusterIP',
      clusterIP: clusterIpOf(n),
      clusterIPs: [clusterIpOf(n)],
      ipFamilies: ['IPv4'],
      selector: { app: `svc-${n}` },
      ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 }],
    },
  };
}

/** As large as real ones: with target references, which a proxy reads and throws away. */
export function sliceOf(n: number, endpoints: number): Manifest {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace: 'bench', name: `svc-${n}-x7k2p`, labels: { 'kubernetes.io/service-name': `svc-${n}` } },
    addressType: 'IPv4',
    ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
    endpoints: Array.from({ length: endpoints }, (_, e) => ({
      addresses: [podIpOf(n, e)],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: `node-${(n + e) % 500}`,
      targetRef: {
        kind: 'Pod',
        namespace: 'bench',
        name: `svc-${n}-${e}`,
        uid: `00000000-0000-4000-8000-${String(n * 64 + e).padStart(12, '0')}`,
      },
    })),
  };
}

export const nodeObject: Manifest = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: NODE_NAME },
  spec: { podCIDRs: ['10.244.0.0/24'] },
  status: { addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] },
};
