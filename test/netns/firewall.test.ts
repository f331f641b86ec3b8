// Firewalls that hosts have: what they do to plain forwarding they must not do to Service traffic.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import { serve, serviceWithSlices } from '../../lab/service.ts';
import { CLUSTER_IPS, endpointOf, ipOf, KINDS, NODE_PORT, reach } from './traffic.ts';

const TOOLS = { IPv4: 'iptables', IPv6: 'ip6tables' } as const;

describe.each(['iptables-nft', 'iptables-legacy'] as const)('FORWARD policy drop, by %s', (variant) => {
  let cluster: Cluster;
  let node1: ClusterNode;
  let far: Pod;

  beforeAll(async () => {
    cluster = new Cluster();
    const [first, second] = [cluster.node(1), cluster.node(2)];
    node1 = first;
    far = second.addPod('far');
    await serve(far);
    for (const tool of Object.values(TOOLS)) {
      const command = variant.replace('iptables', tool);
      node1.namespace.run(command, '-P', 'FORWARD', 'DROP');
      node1.namespace.run(command, '-A', 'FORWARD', '-m', 'conntrack', '--ctstate', 'INVALID', '-j', 'DROP');
    }
    await cluster.start();
    const clusterIPs = Object.values(CLUSTER_IPS);
    await cluster.apply('web', serviceWithSlices({ name: 'web', clusterIPs, pods: [far], nodePort: NODE_PORT }));
  });
  afterAll(() => cluster?.close());

  test.each(KINDS)(
    'an external client still reaches a pod through the NodePort: $family $protocol',
    async ({ family, protocol }) => {
      const seen = await reach(cluster.client, ipOf(node1, family), NODE_PORT, protocol);
      expect([...seen.keys()]).toEqual([endpointOf(far, family)]);
    },
  );

  test.each(KINDS)('what is not a Service is still dropped: $family $protocol', async ({ family, protocol }) => {
    const pods = { IPv4: '10.244.2.0/24', IPv6: 'fd00:10:244:2::/64' }[family];
    cluster.client.run('ip', 'route', 'replace', pods, 'via', ipOf(node1, family));
    const [port, to] = [8080, ipOf(far, family)];
    const [outcome] = await cluster.client.agent.connect({ protocol, to, port, timeoutMs: 1000, udp: 'connected' });
    expect(outcome).toEqual({ ok: false, error: 'ETIMEDOUT' });
  });
});
