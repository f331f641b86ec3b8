// One client port, used for several connections at once or one after the other: each has its own flow and ends at its own backend.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Outcome } from '../../lab/agent-protocol.ts';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import { flowStates } from '../../lab/flow-table.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { serve, serviceWithSlices, TARGET_PORT } from '../../lab/service.ts';
import { FlowFlag } from '../../src/datapath/layout.gen.ts';
import { counted } from './counters.ts';
import { CLUSTER_IPS, endpointOf, FAMILIES, type Family, ipOf, KINDS, type Protocol } from './traffic.ts';

const TWIN_IPS = { IPv4: '10.96.0.20', IPv6: 'fd00:10:96::20' } as const;
const BOTH_IPS = { IPv4: '10.96.0.30', IPv6: 'fd00:10:96::30' } as const;
const NODE_PORTS = [30_081, 30_082] as const;
const CLOSINGS = ['reset', 'client-first', 'server-first'] as const;
const SYN_LOSERS = 16;

const ENDED = FlowFlag.LB_FLOW_CLIENT_FIN | FlowFlag.LB_FLOW_BACKEND_FIN | FlowFlag.LB_FLOW_RESET;

let nextPort = 41_000; // of no two tests the same
const newPort = (): number => nextPort++;

describe.each(['ptp', 'bridge'] as const)('clients of a node with pods on %s', (pods) => {
  let cluster: Cluster;
  let node: ClusterNode;
  let near: Pod;
  let other: Pod;
  let caller: Pod;

  beforeAll(async () => {
    cluster = new Cluster({ nodes: 1, pods, flags: ['--ebpf-socket-path=off', '--ebpf-flow-table-size=1024'] });
    node = cluster.node(1);
    [near, other, caller] = [node.addPod('near'), node.addPod('other'), node.addPod('caller')];
    // So that a client may use its port again at once, whoever closed first.
    for (const namespace of [caller.namespace, cluster.client]) namespace.sysctl('net.ipv4.tcp_max_tw_buckets=0');
    await Promise.all([serve(near), serve(other)]);
    await cluster.start();
    await cluster.apply('services', [
      ...serviceWithSlices({ name: 'web', clusterIPs: Object.values(CLUSTER_IPS), pods: [near], nodePort: NODE_PORTS[0] }),
      ...serviceWithSlices({ name: 'twin', clusterIPs: Object.values(TWIN_IPS), pods: [near], nodePort: NODE_PORTS[1] }),
      ...serviceWithSlices({ name: 'both', clusterIPs: Object.values(BOTH_IPS), pods: [near, other] }),
    ]);
  });
  afterAll(() => cluster?.close());

  /** Two frontends of one backend each, for a pod (not masqueraded) and for a machine outside (masqueraded). */
  const clients = (family: Family): readonly [Namespace, readonly (readonly [string, number])[]][] => [
    [caller.namespace, [[CLUSTER_IPS[family], 80] as const, [TWIN_IPS[family], 80] as const]],
    [cluster.client, NODE_PORTS.map((port) => [ipOf(node, family), port] as const)],
  ];
  const nearAlone = (outcomes: readonly Outcome[], family: Family): void =>
    expect(outcomes.map((one) => (one.ok ? one.endpoint : one.error))).toEqual(
      Array<string>(outcomes.length).fill(endpointOf(near, family)),
    );

  test.each(KINDS)('two frontends with one backend may be used from one port at once: $family $protocol', async (kind) => {
    const { family, protocol } = kind;
    for (const [from, frontends] of clients(family)) {
      const name = `twins ${family} ${protocol}`;
      const fromPort = newPort();
      const outcomes: Outcome[] = [];
      for (const [to, port] of frontends) outcomes.push(...(await from.agent.hold(name, { protocol, to, port, fromPort })));
      nearAlone(outcomes, family);
      // The backend sees two clients, and each hears from the one it asked.
      expect(new Set(outcomes.map((one) => one.ok && one.peer)).size).toBe(2);
      expect(outcomes.map((one) => one.ok && one.named)).toEqual(frontends.map(([to, port]) => inUrl(to, port)));
      for (let round = 0; round < 2; round++) expect(await from.agent.check(name)).toEqual({ held: 2, alive: 2, errors: [] });
      await from.agent.release(name);
    }
  });

  describe.each(CLOSINGS)('a port is used again at once after a connection that ended by %s', (close) => {
    test.each(FAMILIES)('to the same frontend, and to another one of the same backend: %s', async (family) => {
      for (const [from, [first, second]] of clients(family)) {
        const fromPort = newPort();
        const outcomes: Outcome[] = [];
        for (const [to, port] of [first!, first!, second!, first!]) {
          outcomes.push(...(await from.agent.connect({ protocol: 'TCP', to, port, fromPort, close })));
        }
        nearAlone(outcomes, family);
        // A flow that is still taken for closed would be ended in the middle of the connection.
        const [to, port] = first!;
        await from.agent.hold('again', { protocol: 'TCP', to, port, fromPort });
        const flows = flowStates(node.turnout.bpffs).filter(
          (state) => state.clientPort === fromPort && state.frontendPort === port,
        );
        expect(flows.map(({ flags }) => flags & ENDED)).toContain(0);
        expect(await from.agent.check('again')).toEqual({ held: 1, alive: 1, errors: [] });
        await from.agent.release('again');
      }
    });
  });

  test.each(FAMILIES)('a SYN that is sent again goes where the first one went: %s', async (family) => {
    for (const { namespace } of [near, other]) namespace.run('nft', ...FIRST_SYN_IS_LOST);
    const { agent } = caller.namespace;
    const request = { protocol: 'TCP' as Protocol, to: BOTH_IPS[family], port: 80, timeoutMs: 10_000 };
    let outcomes: Outcome[] = [];
    const counts = await counted(node, async () => {
      outcomes = await agent.connect({ ...request, count: SYN_LOSERS, concurrency: SYN_LOSERS });
    });
    const lost = [near, other].map(({ namespace }) => {
      const set = namespace.run('nft', 'list', 'set', 'inet', 'lossy', 'seen');
      namespace.run('nft', 'delete', 'table', 'inet', 'lossy');
      return new Set(/elements = \{([^}]*)\}/.exec(set)?.[1]?.match(/\d+/g) ?? []);
    });
    const answered = [near, other].map((pod) =>
      outcomes.flatMap((one) => (one.ok && one.endpoint === endpointOf(pod, family) ? [/\d+$/.exec(one.peer)![0]] : [])),
    );
    expect(answered.flat()).toHaveLength(SYN_LOSERS);
    expect(lost).toEqual(answered.map((ports) => new Set(ports)));
    expect(counts).toMatchObject({ flow_new: SYN_LOSERS });
  });

  test.each(['TCP', 'UDP'] as const)('an IPv6 socket that talks IPv4 reaches a Service by packets: %s', async (protocol) => {
    const to = `::ffff:${CLUSTER_IPS.IPv4}`;
    for (const from of [caller.namespace, node.namespace]) {
      const counts = await counted(node, async () => {
        const outcomes = await from.agent.connect({ protocol, to, port: 80, count: 4 });
        nearAlone(outcomes, 'IPv4');
        expect(new Set(outcomes.map((one) => one.ok && one.named.replace('[::ffff:', '').replace(']', '')))).toEqual(
          new Set([`${CLUSTER_IPS.IPv4}:80`]),
        );
      });
      expect(counts).toMatchObject({ flow_new: 4 });
      expect(counts).not.toHaveProperty('socket_translated');
    }
  });
});

const inUrl = (address: string, port: number): string => (address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`);

/** The first SYN of each client port is dropped where the backend would take it. */
const FIRST_SYN_IS_LOST = [
  'add table inet lossy',
  'add set inet lossy seen { type inet_service; flags dynamic; }',
  'add chain inet lossy input { type filter hook input priority 0; }',
  `add rule inet lossy input tcp dport ${TARGET_PORT} tcp flags & (syn | ack) == syn tcp sport != @seen add @seen { tcp sport } drop`,
]
  .join('; ')
  .split(' ');
