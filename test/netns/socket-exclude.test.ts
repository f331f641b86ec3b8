// ebpf.socketPath.exclude: workloads that keep their own view of sockets (meshes, sandboxes) are translated packet by packet.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import { serve, serviceWithSlices } from '../../lab/service.ts';
import { CLUSTER_IPS, type Family, KINDS, type Protocol } from './traffic.ts';

const COUNT = 10;

describe('processes of an excluded cgroup', () => {
  let cluster: Cluster;
  let node: ClusterNode;
  let excluded: Pod;
  let plain: Pod;

  beforeAll(async () => {
    cluster = new Cluster({
      flags: ['--ebpf-socket-path=all', '--ebpf-socket-path-exclude=/kubepods*/**/pod1234*,/istio*', '-v=2'],
    });
    node = cluster.node(1);
    excluded = podIn('excluded', 'kubepods.slice/burstable/pod1234-abc');
    plain = podIn('plain', 'kubepods.slice/burstable/pod5678-abc');
    const far = cluster.node(2).addPod('far');
    await serve(far);
    await cluster.start();
    await cluster.apply('web', serviceWithSlices({ name: 'web', clusterIPs: Object.values(CLUSTER_IPS), pods: [far] }));
  });
  afterAll(() => cluster?.close());

  /** A pod whose processes run in a cgroup below the node's, made with its parents. */
  const podIn = (name: string, path: string): Pod => {
    const cgroup = join(node.namespace.cgroup, path);
    mkdirSync(cgroup, { recursive: true });
    return node.addPod(name, cgroup);
  };

  const events = (): Record<string, number> =>
    (JSON.parse(node.turnout.run('status', '--output=json')) as { events: Record<string, number> }).events;

  /** What COUNT connections to the ClusterIP added to the counters, after checking that each was answered and names the ClusterIP. */
  const connect = async (pod: Pod, family: Family, protocol: Protocol) => {
    const to = CLUSTER_IPS[family];
    const before = events();
    const outcomes = await pod.namespace.agent.connect({ protocol, to, port: 80, count: COUNT, timeoutMs: 5000 });
    const after = events();
    const named = new Set(outcomes.map((one) => (one.ok ? one.named : one.error)));
    expect([...named]).toEqual([family === 'IPv4' ? `${to}:80` : `[${to}]:80`]);
    const added = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
    return { translated: added('socket_translated'), excluded: added('socket_excluded'), flows: added('flow_new') };
  };
  const BY_PACKETS = { translated: 0, excluded: COUNT, flows: COUNT };
  const BY_SOCKETS = { translated: COUNT, excluded: 0, flows: 0 };

  test.each(KINDS)(
    'reach $family $protocol Services by the packet path, those beside it by the socket path',
    async ({ family, protocol }) => {
      expect(await connect(excluded, family, protocol)).toEqual(BY_PACKETS);
      expect(await connect(plain, family, protocol)).toEqual(BY_SOCKETS);
    },
  );

  test('count as such also in a child that was made later', async () => {
    expect(await connect(podIn('child', 'kubepods.slice/burstable/pod1234-abc/container'), 'IPv4', 'TCP')).toEqual(BY_PACKETS);
  });

  test('count as such in a cgroup that was made after the start', async () => {
    const pod = podIn('late', 'istio-proxy');
    await node.turnout.logged('istio-proxy');
    expect(await connect(pod, 'IPv6', 'TCP')).toEqual(BY_PACKETS);
    const deep = podIn('deep', 'kubepods-late/a/b/pod1234');
    await node.turnout.logged('kubepods-late/a/b/pod1234');
    expect(await connect(deep, 'IPv4', 'TCP')).toEqual(BY_PACKETS);
  });

  test('are translated again once the exclusion is taken back, and a start needs no new folder to know the old ones', async () => {
    await node.turnout.stop();
    await node.turnout.start(['--cluster-cidr=10.244.0.0/16,fd00:10:244::/48', '--ebpf-socket-path=all']);
    expect(await connect(excluded, 'IPv4', 'TCP')).toEqual(BY_SOCKETS);
    await node.turnout.stop();
    await node.turnout.start([
      '--cluster-cidr=10.244.0.0/16,fd00:10:244::/48',
      '--ebpf-socket-path=all',
      '--ebpf-socket-path-exclude=/**',
    ]);
    expect(await connect(plain, 'IPv4', 'TCP')).toEqual(BY_PACKETS);
  });
});
