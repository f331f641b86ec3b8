// Processes come and go; connections stay.
import { existsSync, globSync, readdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import { serve, serviceWithSlices } from '../../lab/service.ts';
import { Turnout } from '../../lab/turnout.ts';
import { CLUSTER_IPS, NODE_PORT, reach } from './traffic.ts';

const CONNECTIONS = 1000;

describe('the life of the process', () => {
  let cluster: Cluster;
  let node1: ClusterNode;
  let near: Pod;
  let caller: Pod;

  beforeEach(async () => {
    cluster = new Cluster({ nodes: 1, flags: ['--ebpf-socket-path=tcp'] });
    node1 = cluster.node(1);
    near = node1.addPod('near');
    caller = node1.addPod('caller');
    await serve(near);
    await cluster.start();
    await cluster.apply('web', web());
  });
  afterEach(() => cluster?.close());

  const web = () => serviceWithSlices({ name: 'web', clusterIPs: Object.values(CLUSTER_IPS), pods: [near], nodePort: NODE_PORT });

  /** Through the packet path (external, both families, TCP and UDP) and as sockets (a pod, the host). */
  async function hold(): Promise<void> {
    const quarter = CONNECTIONS / 4;
    const opened = await Promise.all([
      cluster.client.agent.hold('all', { protocol: 'TCP', to: node1.ipv4, port: NODE_PORT, count: quarter }),
      cluster.client.agent.hold('all', { protocol: 'TCP', to: node1.ipv6, port: NODE_PORT, count: quarter }),
      cluster.client.agent.hold('all', { protocol: 'UDP', to: node1.ipv4, port: NODE_PORT, count: quarter }),
      caller.namespace.agent.hold('all', { protocol: 'TCP', to: CLUSTER_IPS.IPv4, port: 80, count: quarter }),
    ]);
    expect(opened.flat().filter(({ ok }) => !ok)).toEqual([]);
  }

  async function expectAllAlive(): Promise<void> {
    const reports = await Promise.all([cluster.client, caller.namespace].map(({ agent }) => agent.check('all')));
    expect(reports.map(({ alive, errors }) => ({ alive, errors }))).toEqual([
      { alive: (CONNECTIONS / 4) * 3, errors: [] },
      { alive: CONNECTIONS / 4, errors: [] },
    ]);
  }

  test.each(['SIGKILL', 'SIGTERM'] as const)(
    '1,000 connections outlive a process that ends by %s, and its successor',
    async (signal) => {
      await hold();
      const status = await node1.turnout.stop(signal);
      if (signal === 'SIGTERM') expect(status).toBe(0);
      await expectAllAlive();
      await reach(cluster.client, node1.ipv4, NODE_PORT, 'TCP'); // new ones work too, without a process
      await node1.turnout.start();
      await expectAllAlive();
      await cluster.apply('web', web());
      await expectAllAlive();
    },
  );

  test('1,000 connections outlive a change of layout', async () => {
    await hold();
    await node1.turnout.stop();
    // Another table size is another layout: its pins live in another folder, and flows are copied over.
    await node1.turnout.start([`--cluster-cidr=10.244.0.0/16,fd00:10:244::/48`, '--ebpf-flow-table-size=65536']);
    await expectAllAlive();
    await reach(cluster.client, node1.ipv4, NODE_PORT, 'TCP');
    expect(pinFoldersOf(node1)).toHaveLength(1);
  });

  test('1,000 connections outlive a change of layout that fails half way, and the one that succeeds', async () => {
    await hold();
    const flags = ['--cluster-cidr=10.244.0.0/16,fd00:10:244::/48', '--ebpf-flow-table-size=65536'];
    await node1.turnout.stop();
    await expect(node1.turnout.start([...flags, '--ebpf-cgroup-root=/nonexistent'])).rejects.toThrow(/nonexistent/);
    await expectAllAlive();
    await node1.turnout.start(flags);
    await expectAllAlive();
    await reach(cluster.client, node1.ipv4, NODE_PORT, 'TCP');
    expect(pinFoldersOf(node1)).toHaveLength(1);
    const { tables } = JSON.parse(node1.turnout.run('status', '--output=json')) as { tables: { name: string; used: number }[] };
    const flows = tables.find(({ name }) => name === 'flow_states');
    expect(flows?.used).toBeLessThan(CONNECTIONS); // each once
  });

  test('a second process on the same node says who is there and ends', async () => {
    expect(() => node1.turnout.run('--manifests=/nonexistent')).toThrow(
      new RegExp(`turnout \\(pid ${node1.turnout.instancePid}.*already serves this node`),
    );
    await reach(cluster.client, node1.ipv4, NODE_PORT, 'TCP', { count: 2 });
  });

  test('cleanup is refused while the process runs, then removes everything that is ours and nothing else', async () => {
    const { namespace, turnout } = node1;
    expect(() => turnout.run('cleanup')).toThrow(/still runs/);
    namespace.run('iptables', '-A', 'FORWARD', '-m', 'comment', '--comment', 'foreign', '-j', 'ACCEPT');
    namespace.run('tc', 'qdisc', 'add', 'dev', 'eth0', 'clsact');
    namespace.run(
      ...['tc', 'filter', 'add', 'dev', 'eth0', 'ingress', 'prio', '7', 'protocol', 'all'],
      ...['bpf', 'bytecode', '1,6 0 0 4294967295'],
    );
    await turnout.stop();
    turnout.run('cleanup');
    expect(readdirSync(turnout.bpffs)).not.toContain('turnout'); // maps.debug and progs.debug are the kernel's own
    expect(namespace.run('iptables-save')).not.toMatch(/TURNOUT/i);
    expect(namespace.run('iptables-save')).toContain('foreign');
    expect(namespace.run('tc', 'filter', 'show', 'dev', 'eth0', 'ingress')).toContain('pref 7 bpf');
    const { alive } = await tryOnce();
    expect(alive).toBe(false);
    turnout.run('--cleanup'); // kube-proxy's spelling; nothing is there, which is success
    expect(existsSync(turnout.bpffs)).toBe(true);
  });

  test('two nodes that see one bpffs do not touch each other', async () => {
    const other = cluster.lab.namespace('other', cluster.lab.cgroup('other'));
    const { bpffs } = node1.turnout;
    const second = new Turnout({ lab: cluster.lab, namespace: other, nodeName: 'other', bpffs });
    await second.start();
    await reach(cluster.client, node1.ipv4, NODE_PORT, 'TCP', { count: 4 });
    expect(second.services()).toEqual([]);
    await second.stop();
    second.run('cleanup');
    await reach(cluster.client, node1.ipv4, NODE_PORT, 'TCP', { count: 4 });
    expect(node1.turnout.run('services')).toContain('default/web');
  });

  const pinFoldersOf = ({ turnout }: ClusterNode): string[] =>
    globSync('turnout/netns-*/*', { cwd: turnout.bpffs, withFileTypes: false });

  async function tryOnce(): Promise<{ alive: boolean }> {
    const [outcome] = await cluster.client.agent.connect({ protocol: 'TCP', to: node1.ipv4, port: NODE_PORT, timeoutMs: 1000 });
    return { alive: outcome?.ok ?? false };
  }
});
