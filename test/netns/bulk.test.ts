// Much data through a Service, with the kernel's shortcuts for it (segments of 64 KiB, checksums left to the device) and without any.
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { serve, serviceWithSlices } from '../../lab/service.ts';
import { toolPath } from '../../lab/tool.ts';
import { CLUSTER_IPS, FAMILIES, type Family, ipOf, NODE_PORT } from './traffic.ts';

const MEBIBYTE = 1 << 20;
const TCP_OCTETS = 8 * MEBIBYTE + 12_345;
const UDP_PORT = 8081; // of the endpoint
const UDP_IPS = { IPv4: '10.96.0.50', IPv6: 'fd00:10:96::50' } as const;
const UDP_NODE_PORT = 30_090;
const DATAGRAM_OCTETS = 1200;
const ROUNDS = 20;
const FEATURES = ['tso', 'gso', 'gro', 'tx', 'rx'] as const;

/** What is taken from veth pairs as they are made, and whether the node then still sees packets larger than the wire's. */
const SETTINGS = [
  { setting: 'as it is', off: [], segments: true },
  { setting: 'without checksum offload', off: ['tx', 'rx'], segments: null }, // and so without TSO; GRO joins what comes at once
  { setting: 'without segmentation', off: ['tso', 'gso', 'gro'], segments: false },
  { setting: 'without anything', off: FEATURES, segments: false },
] as const;

describe('bulk through a Service', () => {
  let cluster: Cluster;
  let node: ClusterNode;
  let near: Pod;
  let far: Pod;
  let caller: Pod;

  beforeAll(async () => {
    cluster = new Cluster({ flags: ['--ebpf-socket-path=off'] });
    node = cluster.node(1);
    [near, far, caller] = [node.addPod('near'), cluster.node(2).addPod('far'), node.addPod('caller')];
    await serve(near);
    for (const family of FAMILIES) await serveDatagrams(far, family);
    await serve(far);
    await cluster.start();
    await cluster.apply('services', [
      ...serviceWithSlices({ name: 'web', clusterIPs: Object.values(CLUSTER_IPS), pods: [far], nodePort: NODE_PORT }),
      ...serviceWithSlices({
        ...{ name: 'datagrams', clusterIPs: Object.values(UDP_IPS), pods: [far], targetPort: UDP_PORT, nodePort: UDP_NODE_PORT },
      }),
    ]);
    count(node.namespace);
  });
  afterAll(() => cluster?.close());

  async function serveDatagrams(pod: Pod, family: Family): Promise<void> {
    const arguments_ = ['serve', ipOf(pod, family), String(UDP_PORT)];
    const server = pod.namespace.spawn(toolPath('udp-bulk'), arguments_, { stdio: ['ignore', 'pipe', 'inherit'] });
    cluster.lab.onClose(() => void server.kill());
    await once(server.stdout!, 'data');
  }

  /** A pod by the ClusterIP, as itself; a machine outside by the node port, masqueraded. */
  const callers = (family: Family): readonly [Namespace, string, number, string, number][] => [
    [caller.namespace, CLUSTER_IPS[family], 80, UDP_IPS[family], 80],
    [cluster.client, ipOf(node, family), NODE_PORT, ipOf(node, family), UDP_NODE_PORT],
  ];

  describe.each(SETTINGS)('devices $setting', ({ off, segments }) => {
    beforeAll(() => {
      const switches = FEATURES.flatMap((feature) => [feature, (off as readonly string[]).includes(feature) ? 'off' : 'on']);
      for (const [namespace, device] of [
        ...[caller, far].map((pod) => [pod.namespace, 'eth0'] as const),
        ...cluster.nodes.map((one) => [one.namespace, 'eth0'] as const),
        ...cluster.nodes.flatMap((one) => one.pods.map((pod) => [one.namespace, `p-${pod.name}`] as const)),
        [cluster.client, 'eth0'] as const,
      ])
        namespace.run('ethtool', '-K', device, ...switches);
    });

    test.each(FAMILIES)('TCP comes back as it was sent: %s', async (family) => {
      for (const [from, to, port] of callers(family)) {
        const before = counted(node.namespace);
        const { sent, received } = await from.agent.bulk({ to, port, octets: TCP_OCTETS, timeoutMs: 20_000 });
        expect(received).toBe(sent);
        if (segments !== null) expect(meanOctets(node.namespace, before) > 1600).toBe(segments);
      }
    });

    test.each(FAMILIES)('datagrams come back as they were sent, many with one call: %s', (family) => {
      for (const [from, , , to, port] of callers(family)) {
        const sent = from.run(toolPath('udp-bulk'), 'send', to, String(port), String(DATAGRAM_OCTETS), String(ROUNDS));
        expect(Number(sent)).toBe(ROUNDS * Math.floor(60_000 / DATAGRAM_OCTETS));
      }
    });
  });
});

/** Packets and octets that the node forwards, as its stack sees them. */
function count(node: Namespace): void {
  node.run('nft', 'add table inet sizes; add chain inet sizes forward { type filter hook forward priority 0; }');
  node.run('nft', 'add rule inet sizes forward meta l4proto tcp counter');
}
function counted(node: Namespace): { packets: number; octets: number } {
  const [, packets, octets] = /packets (\d+) bytes (\d+)/.exec(node.run('nft', 'list', 'table', 'inet', 'sizes')) ?? [];
  return { packets: Number(packets), octets: Number(octets) };
}
/** Mean octets of a packet since then. */
function meanOctets(node: Namespace, before: { packets: number; octets: number }): number {
  const { packets, octets } = counted(node);
  return (octets - before.octets) / (packets - before.packets);
}
