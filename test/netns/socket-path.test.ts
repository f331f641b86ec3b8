// What sockets see: translated at connect() and sendmsg(), named as they were asked for.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import { serve, serviceWithSlices } from '../../lab/service.ts';
import { CLUSTER_IPS, endpointOf, FAMILIES, NODE_PORT, reach, refusal, TRIES } from './traffic.ts';

const MAPPED = '::ffff:10.96.0.10';

describe('sockets', () => {
  let cluster: Cluster;
  let node1: ClusterNode;
  let near: Pod;
  let far: Pod;

  beforeAll(async () => {
    cluster = new Cluster({ flags: ['--ebpf-socket-path=all'] });
    const [first, second] = [cluster.node(1), cluster.node(2)];
    node1 = first;
    [near, far] = [first.addPod('near'), second.addPod('far')];
    await Promise.all([serve(near), serve(far)]);
    await cluster.start();
    const clusterIPs = Object.values(CLUSTER_IPS);
    await cluster.apply('web', serviceWithSlices({ name: 'web', clusterIPs, pods: [near, far], nodePort: NODE_PORT }));
  });
  afterAll(() => cluster?.close());

  const translated = (): number => {
    const { events } = JSON.parse(node1.turnout.run('status', '--output=json')) as { events: Record<string, number> };
    return events['socket_translated'] ?? 0;
  };

  test.each(FAMILIES)('getpeername() and recvfrom() of %s say the address that was asked for', async (family) => {
    for (const protocol of ['TCP', 'UDP'] as const) {
      const address = CLUSTER_IPS[family];
      const outcomes = await node1.namespace.agent.connect({ protocol, to: address, port: 80, count: 8 });
      const named = new Set(outcomes.map((one) => (one.ok ? one.named : one.error)));
      expect([...named]).toEqual([family === 'IPv4' ? `${address}:80` : `[${address}]:80`]);
    }
  });

  test('an IPv6 socket reaches an IPv4 ClusterIP by its mapped address', async () => {
    const before = translated();
    const seen = await reach(node1.namespace, MAPPED, 80, 'TCP');
    expect([...seen.keys()].sort()).toEqual([endpointOf(near, 'IPv4'), endpointOf(far, 'IPv4')]);
    expect(translated() - before).toBe(TRIES); // its packets would get there, too
  });

  test.each(FAMILIES)('a pod is as often chosen for its own %s connections as any other endpoint', async (family) => {
    const outcomes = await near.namespace.agent.connect({ protocol: 'TCP', to: CLUSTER_IPS[family], port: 80, count: 300 });
    const own = outcomes.filter((one) => one.ok && one.endpoint === endpointOf(near, family)).length;
    // 300 even choices: 150 +- 8.7. A hairpin that is declined once too often comes to 75.
    expect(own).toBeGreaterThan(110);
    expect(own).toBeLessThan(190);
  });

  test.each([
    ['IPv4', '127.0.0.1'],
    ['IPv6', '::1'],
  ] as const)('a process of the host reaches a NodePort over %s loopback', async (family, loopback) => {
    const seen = await reach(node1.namespace, loopback, NODE_PORT, 'TCP');
    expect([...seen.keys()].sort()).toEqual([endpointOf(near, family), endpointOf(far, family)]);
  });

  test('connections of the host are translated as sockets, not as packets', async () => {
    const before = translated();
    await reach(node1.namespace, CLUSTER_IPS.IPv4, 80, 'TCP', { count: 10 });
    expect(translated() - before).toBe(10);
  });

  test('a connected UDP socket is refused at connect() when there is no endpoint, and works again when one comes', async () => {
    const service = (pods: Pod[]) => serviceWithSlices({ name: 'late', clusterIPs: ['10.96.0.12', 'fd00:10:96::12'], pods });
    await cluster.apply('late', service([]));
    expect(await refusal(node1.namespace, '10.96.0.12', 80, 'UDP')).toEqual(['ECONNREFUSED']);
    await cluster.apply('late', service([near]));
    await reach(node1.namespace, '10.96.0.12', 80, 'UDP', { count: 4 });
  });
});
