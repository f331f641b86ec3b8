// First packets of ten times more connections than the flow table holds, while connections that are in use go on: none of them is lost.
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Outcome } from '../../lab/agent-protocol.ts';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import { flowStates } from '../../lab/flow-table.ts';
import { macOf } from '../../lab/pod-network.ts';
import { serve, serviceWithSlices } from '../../lab/service.ts';
import { toolPath } from '../../lab/tool.ts';
import { counted } from './counters.ts';
import { CLUSTER_IPS, FAMILIES, type Family, ipOf, NODE_PORT, reach } from './traffic.ts';

const TABLE = 2048;
const TCP_HELD = 1000;
const UDP_HELD = 100;
const FLOOD = 10 * TABLE;
const PER_SECOND = 20_000;
const SILENT_IPS = { IPv4: '10.96.0.60', IPv6: 'fd00:10:96::60' } as const;
const SILENT_NODE_PORT = 30_090;
/** Addresses beside the nodes', which nobody has. */
const SOURCES = { IPv4: '192.168.50.128', IPv6: 'fd50::1:0' } as const;
const SOURCE_COUNT = 64;

describe('a flood of first packets', () => {
  let cluster: Cluster;
  let node: ClusterNode;
  let near: Pod;

  beforeAll(async () => {
    cluster = new Cluster({ nodes: 1, flags: [`--ebpf-flow-table-size=${TABLE}`] });
    node = cluster.node(1);
    near = node.addPod('near');
    const silent = node.addPod('silent'); // takes everything and says nothing
    silent.namespace.run(
      'nft',
      'add table inet mute; add chain inet mute in { type filter hook input priority 0; policy drop; }',
    );
    silent.namespace.run('nft', 'add rule inet mute in meta l4proto ipv6-icmp accept');
    await serve(near);
    await cluster.start();
    await cluster.apply('services', [
      ...serviceWithSlices({ name: 'web', clusterIPs: Object.values(CLUSTER_IPS), pods: [near], nodePort: NODE_PORT }),
      ...serviceWithSlices({
        ...{ name: 'silent', clusterIPs: Object.values(SILENT_IPS), pods: [silent], nodePort: SILENT_NODE_PORT },
      }),
    ]);
    const { agent } = cluster.client;
    for (const family of FAMILIES) {
      const request = { to: ipOf(node, family), port: NODE_PORT, timeoutMs: 5000 };
      const tcp = await agent.hold('tcp', { ...request, protocol: 'TCP', count: TCP_HELD / 2 });
      const udp = await agent.hold('udp', { ...request, protocol: 'UDP', count: UDP_HELD / 2 });
      expect([...tcp, ...udp].filter(({ ok }) => !ok)).toEqual([]);
    }
  });
  afterAll(() => cluster?.close());

  const flood = async (family: Family, protocol: 'tcp' | 'udp', port: number): Promise<void> => {
    const [to, mac] = [ipOf(node, family), macOf(node.namespace, 'eth0')];
    const numbers = [FLOOD, PER_SECOND].map(String);
    const args = ['eth0', mac, protocol, SOURCES[family], String(SOURCE_COUNT), to, String(port), ...numbers];
    const child = cluster.client.spawn(toolPath('flood'), args, { stdio: ['ignore', 'ignore', 'inherit'] });
    expect(await once(child, 'exit')).toEqual([0, null]);
  };
  /** As whom the backend sees each of the datagrams' senders: another port would be another flow. */
  const seenBy = (outcomes: readonly Outcome[]): string[] => outcomes.map((one) => (one.ok ? one.peer : one.error));

  // Needs eviction (design, rule 7): without it the table is full of unanswered flows and stays so.
  test.each([
    ['SYNs that are answered', 'tcp', NODE_PORT],
    ['SYNs that nobody answers', 'tcp', SILENT_NODE_PORT],
    ['datagrams that nobody answers', 'udp', SILENT_NODE_PORT],
  ] as const)('of %s ends no connection in use, and lets new ones in', async (_, protocol, port) => {
    const { agent } = cluster.client;
    const before = seenBy(await agent.send('udp'));
    const counts = await counted(node, async () => {
      for (const family of FAMILIES) {
        let isOver = false;
        const over = flood(family, protocol, port).finally(() => {
          isOver = true;
        });
        while (!isOver) expect(await agent.check('tcp', 10_000)).toEqual({ held: TCP_HELD, alive: TCP_HELD, errors: [] });
        await over;
      }
    });
    expect(await agent.check('tcp', 10_000)).toEqual({ held: TCP_HELD, alive: TCP_HELD, errors: [] });
    expect(seenBy(await agent.send('udp'))).toEqual(before);
    expect(flowStates(node.turnout.bpffs).length).toBeLessThanOrEqual(TABLE);
    // Each first packet is a flow or a refusal, and what a flow was taken for has ended another one.
    const { flow_new: made = 0, flow_evicted: evicted = 0, flows_full: refused = 0 } = counts;
    expect(made + refused).toBeGreaterThanOrEqual(2 * FLOOD);
    expect(evicted).toBeGreaterThan(0);
    for (const family of FAMILIES) await reach(cluster.client, ipOf(node, family), NODE_PORT, 'TCP', { count: 4 });
  });
});
