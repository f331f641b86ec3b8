// Pods' connections to the outside that netfilter masquerades, as CNI plug-ins set it up, with a source port that also means something
// to us: a node port, or one of those that we give out. Their answers are theirs, whoever was first.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { hostPort } from '../../lab/agent-protocol.ts';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import { forgetFlows } from '../../lab/flow-table.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { serve, serviceWithSlices } from '../../lab/service.ts';
import { CLUSTER_IPS, type Family, ipOf, KINDS, NODE_PORT, type Protocol, reach } from './traffic.ts';

const SERVER = { ipv4: '192.168.50.200', ipv6: 'fd50::200' } as const;
const SERVER_PORT = 8099;
const OUTSIDE_IPS = { IPv4: '10.96.0.40', IPv6: 'fd00:10:96::40' } as const;
const OUTSIDE_NODE_PORT = 30_090; // whose endpoint is the server
const OUR_PORT = 20_020; // of those that we give out
/** Source port of the pod -> what masquerading makes of it. */
const MASQUERADED = { 50080: NODE_PORT, 50020: OUR_PORT } as const;
const TOOLS = { IPv4: 'iptables', IPv6: 'ip6tables' } as const;

let nextPort = 8100; // of the server, of no two tests the same
const newPort = (): number => nextPort++;

describe.each(['iptables', 'nftables'] as const)('a connection that is masqueraded by %s', (firewall) => {
  let cluster: Cluster;
  let node: ClusterNode;
  let caller: Pod;
  let server: Namespace;

  beforeAll(async () => {
    cluster = new Cluster({ nodes: 1, flags: ['--ebpf-flow-table-size=1024'] });
    node = cluster.node(1);
    const near = node.addPod('near');
    caller = node.addPod('caller');
    server = cluster.addMachine('server', SERVER.ipv4, SERVER.ipv6);
    const outside: Pod = { name: 'outside', nodeName: 'outside', namespace: server, ...SERVER };
    for (const [family, address] of [
      ['IPv4', caller.ipv4],
      ['IPv6', caller.ipv6],
    ] as const)
      masquerade(node.namespace, firewall, family, address);
    await Promise.all([serve(near), serve(outside, SERVER_PORT)]);
    await cluster.start();
    await cluster.apply('services', [
      ...serviceWithSlices({ name: 'web', clusterIPs: Object.values(CLUSTER_IPS), pods: [near], nodePort: NODE_PORT }),
      ...serviceWithSlices({
        ...{ name: 'outside', clusterIPs: Object.values(OUTSIDE_IPS), pods: [outside], targetPort: SERVER_PORT },
        nodePort: OUTSIDE_NODE_PORT,
      }),
    ]);
  });
  afterAll(() => cluster?.close());
  afterEach(async () => {
    for (const { agent } of [caller.namespace, cluster.client]) await agent.release('all');
    forgetFlows(node.turnout.bpffs);
    node.namespace.run('conntrack', '-F');
  });

  const serverIp = (family: Family): string => (family === 'IPv4' ? SERVER.ipv4 : SERVER.ipv6);
  /** The pod's connection to the server; as whom the server sees it. */
  const holdOfPod = async (family: Family, protocol: Protocol, fromPort: number, port = SERVER_PORT): Promise<string> => {
    const request = { protocol, to: serverIp(family), port, fromPort, timeoutMs: 5000 };
    const [outcome] = await caller.namespace.agent.hold('all', request);
    return outcome!.ok ? outcome!.peer : outcome!.error;
  };
  /** A connection through our flow to the server, whose source there is OUR_PORT where that is free. */
  const holdOfClient = async (family: Family, protocol: Protocol): Promise<string> => {
    const request = { protocol, to: ipOf(node, family), port: OUTSIDE_NODE_PORT, fromPort: OUR_PORT, timeoutMs: 5000 };
    const [outcome] = await cluster.client.agent.hold('all', request);
    return outcome!.ok ? outcome!.peer : outcome!.error;
  };
  const expectAlive = async (...namespaces: Namespace[]): Promise<void> => {
    for (let round = 0; round < 2; round++)
      for (const { agent, name } of namespaces)
        expect([name, await agent.check('all')]).toEqual([name, { held: 1, alive: 1, errors: [] }]);
  };

  test.each(KINDS)('to a node port is answered, and the Service there too: $family $protocol', async ({ family, protocol }) => {
    expect(await holdOfPod(family, protocol, 50_080)).toBe(hostPort(ipOf(node, family), NODE_PORT));
    await reach(cluster.client, ipOf(node, family), NODE_PORT, protocol, { count: 4 });
    await expectAlive(caller.namespace);
  });

  test.each(KINDS)('to a port of ours keeps it: we give out another one: $family $protocol', async ({ family, protocol }) => {
    const own = hostPort(ipOf(node, family), OUR_PORT);
    expect(await holdOfPod(family, protocol, 50_020)).toBe(own);
    expect(await holdOfClient(family, protocol)).toMatch(/:\d+$/);
    await expectAlive(caller.namespace, cluster.client);
  });

  // The two that follow need the egress guard (design, rule 6): netfilter's packet leaves after our flow was there.
  test.each(KINDS)('to a port that we gave out to the same server is answered: $family $protocol', async (kind) => {
    const { family, protocol } = kind;
    expect(await holdOfClient(family, protocol)).toBe(hostPort(ipOf(node, family), OUR_PORT));
    expect(await holdOfPod(family, protocol, 50_020)).toMatch(/:\d+$/);
    await expectAlive(caller.namespace, cluster.client);
  });

  test.each(KINDS)('to a node port that the server itself used before is answered: $family $protocol', async (kind) => {
    const { family, protocol } = kind;
    const port = newPort();
    // A client that went away without a word, and serves at that port now.
    server.run('nft', 'add table inet mute; add chain inet mute out { type filter hook output priority 0; }');
    const request = { protocol, to: ipOf(node, family), port: NODE_PORT, fromPort: port };
    expect(await server.agent.hold('gone', request)).toMatchObject([{ ok: true }]);
    server.run('nft', 'add rule inet mute out tcp flags & (rst | fin) != 0 drop');
    await server.agent.release('gone');
    server.run('nft', 'delete table inet mute');
    await server.agent.listen(protocol, serverIp(family), port);
    expect(await holdOfPod(family, protocol, 50_080, port)).toMatch(/:\d+$/);
    await expectAlive(caller.namespace);
  });
});

function masquerade(node: Namespace, firewall: 'iptables' | 'nftables', family: Family, pod: string): void {
  for (const [from, to] of Object.entries(MASQUERADED)) {
    for (const protocol of ['tcp', 'udp']) {
      if (firewall === 'iptables') {
        const match = ['-s', pod, '-p', protocol, '--sport', from, '-o', 'eth0'];
        node.run(TOOLS[family], '-t', 'nat', '-A', 'POSTROUTING', ...match, '-j', 'MASQUERADE', '--to-ports', String(to));
        continue;
      }
      const ip = family === 'IPv4' ? 'ip' : 'ip6';
      node.run('nft', `add table ${ip} cni; add chain ${ip} cni nat { type nat hook postrouting priority 100; }`);
      node.run('nft', `add rule ${ip} cni nat oif eth0 ${ip} saddr ${pod} ${protocol} sport ${from} masquerade to :${to}`);
    }
  }
}
