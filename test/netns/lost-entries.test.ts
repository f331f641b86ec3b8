// Flows that lost rewrite entries, one or all: the connection goes on, healed by its own packets or by the process that looks at all
// flows in turn. Until then its packets are lost and counted; nobody's stack answers what is none of its own.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import { ageFlows, deleteEntries, forgetFlows } from '../../lab/flow-table.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { serve, serviceWithSlices, TARGET_PORT } from '../../lab/service.ts';
import { until } from '../../lab/turnout.ts';
import { Direction, type FlowKey } from '../../src/datapath/layout.gen.ts';
import { counted, countersOf } from './counters.ts';
import { CLUSTER_IPS, FAMILIES, type Family, ipOf, KINDS, NODE_PORT } from './traffic.ts';

/** Entries by the packets that need them: the hook, and whether the backend sends those packets. */
const ENTRIES = {
  'client in': [Direction.LB_IN, false],
  'client out': [Direction.LB_OUT, false],
  'backend in': [Direction.LB_IN, true],
  'backend out': [Direction.LB_OUT, true],
} as const;
type Entry = keyof typeof ENTRIES;
const ALL = Object.keys(ENTRIES) as Entry[];

const isOf =
  (entry: Entry) =>
  (key: FlowKey): boolean => {
    const [direction, isBackends] = ENTRIES[entry];
    return key.direction === direction && (key.sourcePort === TARGET_PORT) === isBackends;
  };

describe.each(['ptp', 'bridge'] as const)('with pods on %s, a flow that lost', (pods) => {
  let cluster: Cluster;
  let node: ClusterNode;
  let near: Pod;
  let caller: Pod;

  beforeAll(async () => {
    cluster = new Cluster({ nodes: 1, pods, flags: ['--ebpf-socket-path=off', '--ebpf-flow-table-size=1024'] });
    node = cluster.node(1);
    [near, caller] = [node.addPod('near'), node.addPod('caller')];
    await serve(near);
    await cluster.start();
    await cluster.apply('web', [
      ...serviceWithSlices({ name: 'web', clusterIPs: Object.values(CLUSTER_IPS), pods: [near], nodePort: NODE_PORT }),
    ]);
    for (const namespace of watched()) watchAnswers(namespace);
    await node.turnout.stop('SIGKILL'); // packets alone have to do it
  });
  afterAll(() => cluster?.close());

  const watched = (): Namespace[] => [node.namespace, cluster.client, caller.namespace, near.namespace];
  afterEach(async () => {
    for (const { agent } of [cluster.client, caller.namespace]) await agent.release('one');
    for (const namespace of watched()) expect([namespace.name, answersSent(namespace)]).toEqual([namespace.name, 0]);
  });

  /** A client, what it connects to, and the entries that its flows have: masquerading takes all four, one bridge a steering one. */
  const clients = (family: Family): readonly [Namespace, string, number, readonly Entry[]][] => [
    [cluster.client, ipOf(node, family), NODE_PORT, ALL],
    [
      caller.namespace,
      CLUSTER_IPS[family],
      80,
      ['client in', 'backend out', ...(pods === 'bridge' ? ['backend in' as const] : [])],
    ],
  ];
  const isAlive = async (from: Namespace): Promise<void> =>
    expect(await from.agent.check('one', 10_000)).toEqual({ held: 1, alive: 1, errors: [] });

  /** Where the client's packets find no flow they are lost, and counted, until the backend says something. */
  const speakFromBothSides = async (from: Namespace): Promise<void> => {
    const noFlow = (): number => countersOf(node)['no_flow'] ?? 0;
    const before = noFlow();
    const asked = isAlive(from);
    await until('a packet of the client is lost', () => noFlow() > before);
    await near.namespace.agent.push(TARGET_PORT);
    await asked;
  };

  describe.each(ALL)('the entry "%s"', (entry) => {
    test.each(KINDS)('goes on by its own packets: $family $protocol', async ({ family, protocol }) => {
      for (const [from, to, port, entries] of clients(family)) {
        if (!entries.includes(entry)) continue;
        forgetFlows(node.turnout.bpffs);
        expect(await from.agent.hold('one', { protocol, to, port })).toMatchObject([{ ok: true }]);
        const counts = await counted(node, async () => {
          ageFlows(node.turnout.bpffs, 2); // its packets look once a second
          expect(deleteEntries(node.turnout.bpffs, isOf(entry))).toBe(1);
          if (protocol === 'TCP' && entry === 'client in') await speakFromBothSides(from);
          for (let round = 0; round < 2; round++) await isAlive(from);
        });
        await from.agent.release('one');
        // Any datagram may be the first of a flow.
        expect(counts).toMatchObject(protocol === 'UDP' && entry === 'client in' ? { flow_new: 1 } : { flow_repaired: 1 });
      }
    });
  });

  test('all its entries goes on by the process that looks at all flows in turn', async () => {
    forgetFlows(node.turnout.bpffs);
    const all = FAMILIES.flatMap((family) => clients(family));
    for (const [from, to, port] of all)
      expect(await from.agent.hold('one', { protocol: 'TCP', to, port })).toMatchObject([{ ok: true }]);
    ageFlows(node.turnout.bpffs, 2); // one that is younger may still be in the making
    expect(deleteEntries(node.turnout.bpffs, () => true)).toBe(pods === 'bridge' ? 14 : 12);
    await node.turnout.start();
    const alive = { held: FAMILIES.length, alive: FAMILIES.length, errors: [] };
    for (const { agent } of [cluster.client, caller.namespace]) expect(await agent.check('one', 15_000)).toEqual(alive);
  });
});

/** Counts what a stack says about packets that it knows nothing of; a pod or client may also end its own connection by RST. */
function watchAnswers(namespace: Namespace): void {
  namespace.run('nft', 'add table inet watch; add chain inet watch out { type filter hook output priority 0; }');
  const errors = ['icmp type destination-unreachable', 'icmpv6 type destination-unreachable'];
  for (const what of namespace.name.startsWith('node') ? [...errors, 'tcp flags rst'] : errors)
    namespace.run('nft', `add rule inet watch out ${what} counter`);
}
const answersSent = (namespace: Namespace): number =>
  [...namespace.run('nft', 'list', 'table', 'inet', 'watch').matchAll(/packets (\d+)/g)].reduce(
    (sum, [, n]) => sum + Number(n),
    0,
  );
