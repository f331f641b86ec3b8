// Firewalls that hosts have: what they do to plain forwarding they must not do to Service traffic.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import { serve, serviceWithSlices } from '../../lab/service.ts';
import { CLUSTER_IPS, endpointOf, type Family, ipOf, KINDS, NODE_PORT, reach } from './traffic.ts';

const TOOLS = { IPv4: 'iptables', IPv6: 'ip6tables' } as const;
const PODS = { IPv4: '10.244.0.0/16', IPv6: 'fd00:10:244::/48' } as const;

/** bridgeNetfilter: whether the firewall also sees what a bridge forwards. */
const ENVIRONMENTS = [
  { variant: 'iptables-nft', network: 'ptp', pods: 'ptp', bridgeNetfilter: 0 },
  { variant: 'iptables-nft', network: 'a bridge', pods: 'bridge', bridgeNetfilter: 0 },
  { variant: 'iptables-nft', network: 'a bridge with br_netfilter', pods: 'bridge', bridgeNetfilter: 1 },
  { variant: 'iptables-legacy', network: 'a bridge with br_netfilter', pods: 'bridge', bridgeNetfilter: 1 },
] as const;

describe.each(ENVIRONMENTS)('FORWARD policy drop by $variant, pods on $network', ({ variant, pods, bridgeNetfilter }) => {
  let cluster: Cluster;
  let node1: ClusterNode;
  let near: Pod;
  let far: Pod;
  let caller: Pod;

  beforeAll(async () => {
    cluster = new Cluster({ pods, flags: ['--ebpf-socket-path=off'] });
    const [first, second] = [cluster.node(1), cluster.node(2)];
    node1 = first;
    [near, far, caller] = [first.addPod('near'), second.addPod('far'), first.addPod('caller')];
    await Promise.all([serve(near), serve(far)]);
    const { namespace } = node1;
    const calls = ['net.bridge.bridge-nf-call-iptables', 'net.bridge.bridge-nf-call-ip6tables'];
    namespace.sysctl(...calls.map((call) => `${call}=${bridgeNetfilter}`));
    for (const [family, tool] of Object.entries(TOOLS) as [Family, string][]) {
      const command = variant.replace('iptables', tool);
      namespace.run(command, '-P', 'FORWARD', 'DROP');
      namespace.run(command, '-A', 'FORWARD', '-m', 'conntrack', '--ctstate', 'INVALID', '-j', 'DROP');
      // As CNI plug-ins do it for what pods send; kube-proxy has no rule for this either.
      namespace.run(command, '-A', 'FORWARD', '-s', PODS[family], '-j', 'ACCEPT');
    }
    await cluster.start();
    const clusterIPs = Object.values(CLUSTER_IPS);
    await cluster.apply('web', serviceWithSlices({ name: 'web', clusterIPs, pods: [near, far], nodePort: NODE_PORT }));
  });
  afterAll(() => cluster?.close());

  const endpoints = (family: Family): string[] => [near, far].map((pod) => endpointOf(pod, family)).sort();

  test.each(KINDS)(
    'an external client still reaches pods here and there through the NodePort: $family $protocol',
    async ({ family, protocol }) => {
      const seen = await reach(cluster.client, ipOf(node1, family), NODE_PORT, protocol);
      expect([...seen.keys()].sort()).toEqual(endpoints(family));
    },
  );

  test.each(KINDS)('a pod still reaches others, and itself, through the ClusterIP: $family $protocol', async (kind) => {
    for (const from of [caller, near]) {
      const seen = await reach(from.namespace, CLUSTER_IPS[kind.family], 80, kind.protocol);
      expect([...seen.keys()].sort()).toEqual(endpoints(kind.family));
    }
  });

  test.each(KINDS)('what is not a Service is still dropped: $family $protocol', async ({ family, protocol }) => {
    const { client } = cluster;
    for (const pod of [near, far]) client.run('ip', 'route', 'replace', ipOf(pod, family), 'via', ipOf(node1, family));
    const connect = (pod: Pod) =>
      client.agent.connect({ protocol, to: ipOf(pod, family), port: 8080, timeoutMs: 500, udp: 'connected' });
    const dropped = [{ ok: false, error: 'ETIMEDOUT' }];
    expect(await Promise.all([near, far].map(connect))).toEqual([dropped, dropped]);
  });
});
