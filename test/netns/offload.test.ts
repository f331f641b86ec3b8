// A device that fills in no checksums: the kernel does, over what the programs left, and the receiver looks at them.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import { serve, serviceWithSlices } from '../../lab/service.ts';
import { CLUSTER_IPS, endpointOf, ipOf, KINDS, NODE_PORT, reach } from './traffic.ts';

describe('a node whose device has no checksum offload', () => {
  let cluster: Cluster;
  let node1: ClusterNode;
  let near: Pod;
  let far: Pod;
  let caller: Pod;

  beforeAll(async () => {
    cluster = new Cluster({ flags: ['--ebpf-socket-path=off'] });
    const [first, second] = [cluster.node(1), cluster.node(2)];
    node1 = first;
    for (const { namespace } of cluster.nodes) namespace.run('ethtool', '-K', 'eth0', 'tx', 'off', 'rx', 'off');
    [near, far, caller] = [first.addPod('near'), second.addPod('far'), first.addPod('caller')];
    await Promise.all([serve(near), serve(far)]);
    await cluster.start();
    const pods = [near, far];
    await cluster.apply(
      'web',
      serviceWithSlices({ name: 'web', clusterIPs: Object.values(CLUSTER_IPS), pods, nodePort: NODE_PORT }),
    );
  });
  afterAll(() => cluster?.close());

  describe.each(KINDS)('$family $protocol', ({ family, protocol }) => {
    const endpoints = (): string[] => [endpointOf(near, family), endpointOf(far, family)].sort();

    test("a pod's packets and the replies arrive", async () => {
      const seen = await reach(caller.namespace, CLUSTER_IPS[family], 80, protocol, { octets: 4000 });
      expect([...seen.keys()].sort()).toEqual(endpoints());
    });

    test("a client's masqueraded packets and the replies arrive", async () => {
      const seen = await reach(cluster.client, ipOf(node1, family), NODE_PORT, protocol);
      expect([...seen.keys()].sort()).toEqual(endpoints());
    });
  });
});
