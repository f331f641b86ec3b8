// Objects of one dual-stack Service whose endpoints are pods, as an API server would show them.
import type { Pod } from './cluster.ts';
import type { Manifest } from './turnout.ts';

export interface ServiceOptions {
  readonly name: string;
  readonly clusterIPs: readonly string[]; // one of each family
  readonly pods: readonly Pod[];
  readonly port?: number; // default 80
  readonly nodePort?: number; // default none; UDP gets the same number
  readonly targetPort?: number; // default 8080
  readonly externalIPs?: readonly string[];
  readonly spec?: Record<string, unknown>;
}

export const TARGET_PORT = 8080;
const PROTOCOLS = ['TCP', 'UDP'] as const;

export function serviceWithSlices(options: ServiceOptions): Manifest[] {
  const { name, clusterIPs, pods, port = 80, nodePort, targetPort = TARGET_PORT, externalIPs, spec } = options;
  const portName = (protocol: string): string => protocol.toLowerCase();
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'default', name },
    spec: {
      type: nodePort ? 'NodePort' : 'ClusterIP',
      clusterIP: clusterIPs[0],
      clusterIPs,
      ...(externalIPs && { externalIPs }),
      ports: PROTOCOLS.map((protocol) => ({
        name: portName(protocol),
        protocol,
        port,
        targetPort,
        ...(nodePort && { nodePort }),
      })),
      ...spec,
    },
  };
  const slices = (['IPv4', 'IPv6'] as const).map((addressType) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      namespace: 'default',
      name: `${name}-${addressType.toLowerCase()}`,
      labels: { 'kubernetes.io/service-name': name },
    },
    addressType,
    ports: PROTOCOLS.map((protocol) => ({ name: portName(protocol), protocol, port: targetPort })),
    endpoints: pods.map((pod) => ({
      addresses: [addressType === 'IPv4' ? pod.ipv4 : pod.ipv6],
      nodeName: pod.nodeName,
      conditions: { ready: true },
    })),
  }));
  return [service, ...slices];
}

/** Echo servers on the pod's both addresses, TCP and UDP. */
export async function serve(pod: Pod, port = TARGET_PORT): Promise<void> {
  const { agent } = pod.namespace;
  await Promise.all([agent.listen('TCP', '::', port), agent.listen('UDP', pod.ipv4, port), agent.listen('UDP', pod.ipv6, port)]);
}
