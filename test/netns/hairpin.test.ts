// Whoever is the only endpoint of a Service reaches itself through every frontend of it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { serve, serviceWithSlices } from '../../lab/service.ts';
import { addressesOf, endpointOf, type Family, ipOf, KINDS, reach } from './traffic.ts';

const VIPS = { externalIP: { IPv4: '203.0.113.9', IPv6: 'fd99::9' }, loadBalancer: { IPv4: '203.0.113.10', IPv6: 'fd99::10' } };
const NODE_PORTS = { Cluster: 31_100, Local: 31_101 } as const;

describe.each(['ptp', 'bridge'] as const)('on a node whose pods are on %s', (pods) => {
  let cluster: Cluster;
  let node: ClusterNode;
  let pod: Pod;
  let hostPod: Pod; // hostNetwork: its addresses are the node's

  beforeAll(async () => {
    cluster = new Cluster({ nodes: 1, pods });
    node = cluster.node(1);
    pod = node.addPod('pod');
    const { namespace, ipv4, ipv6 } = node;
    hostPod = { name: 'host', nodeName: node.name, namespace, ipv4, ipv6 };
    await Promise.all([serve(pod), serve(hostPod)]);
    await cluster.start();
  });
  afterAll(() => cluster?.close());

  /** The Service of one endpoint, under one external policy, with every kind of frontend. */
  const service = (endpoint: Pod, policy: 'Cluster' | 'Local') => {
    const last = policy === 'Cluster' ? 31 : 32;
    const [service, ...slices] = serviceWithSlices({
      ...{ name: `self-${policy.toLowerCase()}`, clusterIPs: [`10.96.0.${last}`, `fd00:10:96::${last}`], pods: [endpoint] },
      ...{ nodePort: NODE_PORTS[policy], port: policy === 'Cluster' ? 80 : 81 },
      externalIPs: Object.values(VIPS.externalIP),
      spec: { externalTrafficPolicy: policy },
    });
    const ingress = Object.values(VIPS.loadBalancer).map((ip) => ({ ip }));
    return [{ ...service!, status: { loadBalancer: { ingress } } }, ...slices];
  };
  const frontends = (family: Family, policy: 'Cluster' | 'Local'): [string, number][] => {
    const [last, port] = policy === 'Cluster' ? [31, 80] : [32, 81];
    return [
      [family === 'IPv4' ? `10.96.0.${last}` : `fd00:10:96::${last}`, port],
      [VIPS.externalIP[family], port],
      [VIPS.loadBalancer[family], port],
      [ipOf(node, family), NODE_PORTS[policy]],
    ];
  };

  describe.each(['Cluster', 'Local'] as const)('under externalTrafficPolicy %s', (policy) => {
    test.each(KINDS)('a pod reaches itself over $family $protocol, and sees a node address', async ({ family, protocol }) => {
      await cluster.apply('self', service(pod, policy));
      for (const [to, port] of frontends(family, policy)) {
        const seen = await reach(pod.namespace, to, port, protocol, { count: 4 });
        expectNodeSource(seen, endpointOf(pod, family), node.namespace);
      }
    });

    test.each(KINDS)('a hostNetwork pod reaches itself over $family $protocol', async ({ family, protocol }) => {
      await cluster.apply('self', service(hostPod, policy));
      for (const [to, port] of frontends(family, policy)) {
        const seen = await reach(node.namespace, to, port, protocol, { count: 4 });
        expectNodeSource(seen, endpointOf(hostPod, family), node.namespace);
      }
    });

    test.each(KINDS)('a pod reaches a hostNetwork endpoint of its node over $family $protocol', async ({ family, protocol }) => {
      await cluster.apply('self', service(hostPod, policy));
      for (const [to, port] of frontends(family, policy)) {
        const seen = await reach(pod.namespace, to, port, protocol, { count: 4 });
        expect([...seen.keys()]).toEqual([endpointOf(hostPod, family)]);
      }
    });
  });
});

function expectNodeSource(seen: Map<string, Set<string>>, endpoint: string, node: Namespace): void {
  expect([...seen.keys()]).toEqual([endpoint]);
  const own = addressesOf(node);
  for (const source of seen.get(endpoint) ?? []) expect(own).toContain(source);
}
