// Services and endpoints change while connections run.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import { serve, serviceWithSlices } from '../../lab/service.ts';
import { until } from '../../lab/turnout.ts';
import { endpointOf, FAMILIES, ipOf, reach, refusal } from './traffic.ts';

describe('changes', () => {
  let cluster: Cluster;
  let node1: ClusterNode;
  let near: Pod;
  let far: Pod;

  beforeAll(async () => {
    cluster = new Cluster();
    const [first, second] = [cluster.node(1), cluster.node(2)];
    node1 = first;
    [near, far] = [first.addPod('near'), second.addPod('far')];
    await Promise.all([serve(near), serve(far)]);
    await cluster.start();
  });
  afterAll(() => cluster?.close());

  /** Services of one test; numbers keep them apart. */
  const service = (number: number, pods: readonly Pod[]) =>
    serviceWithSlices({
      name: `svc${number}`,
      clusterIPs: [`10.96.1.${number}`, `fd00:10:96::1:${number}`],
      pods,
      nodePort: 31000 + number,
    });

  test('a backend that is added takes new connections; running ones stay', async () => {
    await cluster.apply('added', service(1, [near]));
    await cluster.client.agent.hold('added', { protocol: 'TCP', to: node1.ipv4, port: 31001, count: 50 });
    await cluster.apply('added', service(1, [near, far]));
    const seen = await reach(cluster.client, node1.ipv4, 31001, 'TCP');
    expect([...seen.keys()].sort()).toEqual([endpointOf(near, 'IPv4'), endpointOf(far, 'IPv4')]);
    expect(await cluster.client.agent.check('added')).toEqual({ held: 50, alive: 50, errors: [] });
  });

  test.each(FAMILIES)(
    'a backend that is removed takes no new %s connection; running TCP ones stay while the pod lives',
    async (family) => {
      const name = `removed-${family}`;
      await cluster.apply('removed', service(2, [near, far]));
      await cluster.client.agent.hold(name, { protocol: 'TCP', to: ipOf(node1, family), port: 31002, count: 50 });
      await cluster.apply('removed', service(2, [near]));
      const seen = await reach(cluster.client, ipOf(node1, family), 31002, 'TCP');
      expect([...seen.keys()]).toEqual([endpointOf(near, family)]);
      expect(await cluster.client.agent.check(name)).toEqual({ held: 50, alive: 50, errors: [] });
    },
  );

  test('a UDP flow moves to another backend when its own is removed', async () => {
    await cluster.apply('udp', service(3, [far]));
    const { agent } = cluster.client;
    const from = { protocol: 'UDP', to: node1.ipv4, port: 31003, fromPort: 40003, udp: 'connected' } as const;
    const [first] = await agent.connect(from);
    await cluster.apply('udp', service(3, [near]));
    const [second] = await agent.connect(from); // the same five-tuple
    expect([first, second].map((one) => one?.ok && one.endpoint)).toEqual([endpointOf(far, 'IPv4'), endpointOf(near, 'IPv4')]);
  });

  test("a Service that is removed is gone, and its node port is the host's own again", async () => {
    await cluster.apply('gone', service(4, [near]));
    await reach(cluster.client, node1.ipv4, 31004, 'TCP', { count: 4 });
    await cluster.apply('gone', []);
    expect(await refusal(cluster.client, node1.ipv4, 31004, 'TCP')).toEqual(['ECONNREFUSED']);
    await node1.namespace.agent.listen('TCP', '::', 31004);
    const seen = await reach(cluster.client, node1.ipv4, 31004, 'TCP', { count: 4 });
    expect([...seen.keys()]).toEqual([`${node1.ipv4}:31004`]);
  });

  test('a file that is broken changes nothing and is named once; what is put right comes into force', async () => {
    const { turnout } = node1;
    await cluster.apply('broken', service(5, [near]));
    const path = join(turnout.manifests, 'broken.json');
    const good = readFileSync(path, 'utf8');
    writeFileSync(path, good.slice(0, good.length / 2));
    await until('the broken file is reported', () => readFileSync(turnout.log, 'utf8').includes('broken.json:'));
    await reach(cluster.client, node1.ipv4, 31005, 'TCP', { count: 4 });
    writeFileSync(path, good.replaceAll('31005', '31055'));
    await until('the corrected file is in force', () => turnout.run('services', '--output=json').includes('31055'));
    await reach(cluster.client, node1.ipv4, 31055, 'TCP', { count: 4 });
  });

  test('a cluster IP that another Service has is named with file and field, and the Service in force stays', async () => {
    const { turnout } = node1;
    await cluster.apply('holder', service(7, [near]));
    const twin = serviceWithSlices({ name: 'twin', clusterIPs: ['10.96.1.7', 'fd00:10:96::1:7'], pods: [far] });
    turnout.write('twin', twin);
    await until('the conflict is reported', () => /twin\.json:\d+:\d+.*spec\.clusterIP/.test(readFileSync(turnout.log, 'utf8')));
    const seen = await reach(cluster.client, node1.ipv4, 31007, 'TCP');
    expect([...seen.keys()]).toEqual([endpointOf(near, 'IPv4')]);
  });

  test('a new address of the node serves node ports as soon as it is there', async () => {
    await cluster.apply('address', service(6, [near]));
    node1.namespace.ip('addr add 192.168.50.77/24 dev eth0');
    await until('the new address serves', async () => {
      const [one] = await cluster.client.agent.connect({ protocol: 'TCP', to: '192.168.50.77', port: 31006, timeoutMs: 500 });
      return one?.ok ?? false;
    });
  });

  test('a device that is replaced by another one of the same number is hooked', async () => {
    const { namespace, turnout } = node1;
    const isHooked = (): boolean => / replaced +tcx +egress, ingress/.test(turnout.run('status'));
    namespace.ip('link add replaced index 700 type veth peer name replaced-peer');
    await until('the device is hooked', isHooked);
    // While the process is busy with something else, so that it hears of both at once.
    const pid = turnout.instancePid;
    process.kill(pid, 'SIGSTOP');
    namespace.ip('link del replaced', 'link add replaced index 700 type veth peer name replaced-peer');
    process.kill(pid, 'SIGCONT');
    await until('its successor is hooked', isHooked, 3000);
    namespace.ip('link del replaced');
    await until(
      'nothing is left of it',
      () => !readdirSync(turnout.bpffs, { recursive: true }).some((name) => `${name}`.includes('tc_700_')),
    );
  });
});
