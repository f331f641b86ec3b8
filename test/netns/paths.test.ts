// Every path of a Service, with real packets, on every kind of pod network that this project promises to work on.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import { serve, serviceWithSlices } from '../../lab/service.ts';
import { addressesOf, CLUSTER_IPS, endpointOf, ipOf, KINDS, NODE_PORT, reach, refusal } from './traffic.ts';

const POD_NETWORKS = [
  { network: 'ptp', pods: 'ptp', bridgeNetfilter: 0 },
  { network: 'a bridge', pods: 'bridge', bridgeNetfilter: 0 },
  { network: 'a bridge with br_netfilter', pods: 'bridge', bridgeNetfilter: 1 },
] as const;
const ENVIRONMENTS = POD_NETWORKS.flatMap((podNetwork) =>
  (['routes', 'vxlan'] as const).flatMap((between) =>
    (['all', 'off'] as const).map((socketPath) => ({ ...podNetwork, between, socketPath })),
  ),
);

describe.each(ENVIRONMENTS)('pods on $network, $between between nodes, socket path $socketPath', (environment) => {
  let cluster: Cluster;
  let node1: ClusterNode;
  let near: Pod; // an endpoint on node1
  let far: Pod; // an endpoint on node2
  let caller: Pod; // no endpoint, on node1

  beforeAll(async () => {
    const { pods, between, socketPath, bridgeNetfilter } = environment;
    cluster = new Cluster({ pods, between, flags: [`--ebpf-socket-path=${socketPath}`], rpFilter: 1 });
    const [first, second] = [cluster.node(1), cluster.node(2)];
    node1 = first;
    for (const { namespace } of cluster.nodes) {
      namespace.sysctl(
        `net.bridge.bridge-nf-call-iptables=${bridgeNetfilter}`,
        `net.bridge.bridge-nf-call-ip6tables=${bridgeNetfilter}`,
      );
      // What many hosts have, and what breaks a translator that conntrack sees only half of.
      for (const iptables of ['iptables', 'ip6tables']) {
        namespace.run(iptables, '-A', 'FORWARD', '-m', 'conntrack', '--ctstate', 'INVALID', '-j', 'DROP');
      }
      namespace.run(...masquerade('iptables', '10.244.0.0/16'));
      namespace.run(...masquerade('ip6tables', 'fd00:10:244::/48'));
    }
    [near, far, caller] = [node1.addPod('near'), second.addPod('far'), node1.addPod('caller')];
    await Promise.all([serve(near), serve(far)]);
    await cluster.start();
    await cluster.apply('web', [
      ...serviceWithSlices({ name: 'web', clusterIPs: Object.values(CLUSTER_IPS), pods: [near, far], nodePort: NODE_PORT }),
      ...serviceWithSlices({ name: 'empty', clusterIPs: ['10.96.0.11', 'fd00:10:96::11'], pods: [], nodePort: 30081 }),
    ]);
  });
  afterAll(() => cluster?.close());

  describe.each(KINDS)('$family $protocol', ({ family, protocol }) => {
    const endpoints = (): string[] => [endpointOf(near, family), endpointOf(far, family)].sort();

    test('a pod reaches both endpoints through the ClusterIP, and they see the pod', async () => {
      const seen = await reach(caller.namespace, CLUSTER_IPS[family], 80, protocol);
      expect([...seen.keys()].sort()).toEqual(endpoints());
      for (const sources of seen.values()) expect([...sources]).toEqual([ipOf(caller, family)]);
    });

    test('a pod that is chosen for its own connection sees the node, any other endpoint sees the pod', async () => {
      const seen = await reach(near.namespace, CLUSTER_IPS[family], 80, protocol);
      const nodeAddresses = addressesOf(node1.namespace);
      expect([...seen.keys()].sort()).toEqual(endpoints());
      expect([...(seen.get(endpointOf(far, family)) ?? [])]).toEqual([ipOf(near, family)]);
      for (const source of seen.get(endpointOf(near, family)) ?? []) expect(nodeAddresses).toContain(source);
    });

    // Without the socket path the host's own connections to a ClusterIP are not translated yet (README, limits).
    if (environment.socketPath !== 'off') {
      test('a process of the host reaches both endpoints through the ClusterIP', async () => {
        const seen = await reach(node1.namespace, CLUSTER_IPS[family], 80, protocol);
        expect([...seen.keys()].sort()).toEqual(endpoints());
      });
    }

    test('an external client reaches both endpoints through the NodePort, and they see the node', async () => {
      const seen = await reach(cluster.client, ipOf(node1, family), NODE_PORT, protocol);
      const nodeAddresses = addressesOf(node1.namespace);
      expect([...seen.keys()].sort()).toEqual(endpoints());
      for (const source of [...seen.values()].flatMap((sources) => [...sources])) expect(nodeAddresses).toContain(source);
    });

    test('a pod reaches both endpoints through the NodePort of its own node', async () => {
      const seen = await reach(caller.namespace, ipOf(node1, family), NODE_PORT, protocol);
      expect([...seen.keys()].sort()).toEqual(endpoints());
    });

    test('a Service without endpoints refuses at once, from everywhere', async () => {
      const empty = family === 'IPv4' ? '10.96.0.11' : 'fd00:10:96::11';
      expect(await refusal(caller.namespace, empty, 80, protocol)).toEqual(['ECONNREFUSED']);
      expect(await refusal(cluster.client, ipOf(node1, family), 30081, protocol)).toEqual(['ECONNREFUSED']);
    });
  });
});

/** The rule that CNI plug-ins make: what leaves the cluster from a pod gets the node's address. */
function masquerade(command: string, pods: string): [string, ...string[]] {
  return [command, '-t', 'nat', '-A', 'POSTROUTING', '-s', pods, '!', '-d', pods, '-j', 'MASQUERADE'];
}
