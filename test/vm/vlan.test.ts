// A Service reached through a VLAN device, which the development machine's kernel does not have: tagged frames pass the device below
// untouched and are translated once, on the VLAN device. Both with the tag in the packet's meta data (as veth and most devices hand it on)
// and in the frame itself.
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import { serve, serviceWithSlices } from '../../lab/service.ts';
import type { StatusReport } from '../../src/cli/status-table.ts';
import { addressesOf, CLUSTER_IPS, endpointOf, KINDS, NODE_PORT, reach } from '../netns/traffic.ts';
import { copyRelease } from './release.ts';

const COUNT = 4;
const TIMEOUT_MS = 20_000;
const VLAN_IPS = { IPv4: '192.168.70.1', IPv6: 'fd70::1' } as const;
const CLIENT_IPS = { IPv4: '192.168.70.2', IPv6: 'fd70::2' } as const;

const { folder, binary } = copyRelease();
let cluster: Cluster;
let node: ClusterNode;
let web: Pod;

beforeAll(async () => {
  cluster = new Cluster({ nodes: 1, binary });
  node = cluster.node(1);
  web = node.addPod('web');
  await serve(web);
  for (const [namespace, ips] of [
    [node.namespace, VLAN_IPS],
    [cluster.client, CLIENT_IPS],
  ] as const)
    namespace.ip(
      ...['link add link eth0 name eth0.5 type vlan id 5', 'link set eth0.5 up'],
      ...[`addr add ${ips.IPv4}/24 dev eth0.5`, `addr add ${ips.IPv6}/64 dev eth0.5`],
    );
  const services = serviceWithSlices({ name: 'web', clusterIPs: Object.values(CLUSTER_IPS), pods: [web], nodePort: NODE_PORT });
  node.turnout.write('web', services);
  await cluster.start();
  cluster.client.ip(`route add 10.96.0.0/16 via ${VLAN_IPS.IPv4}`, `route add fd00:10:96::/112 via ${VLAN_IPS.IPv6}`);
});
afterAll(async () => {
  await cluster?.close();
  rmSync(folder, { recursive: true, force: true });
});

const status = (): StatusReport => JSON.parse(node.turnout.run('status', '--output=json')) as StatusReport;
let reached = 0;

describe.each(['on', 'off'])('with the tag left to the device: %s', (offload) => {
  beforeAll(() => {
    for (const namespace of [node.namespace, cluster.client])
      namespace.run('ethtool', '-K', 'eth0', 'txvlan', offload, 'rxvlan', offload);
  });

  test.each(KINDS)(
    'a client beyond a VLAN device reaches a pod, masqueraded: $family $protocol',
    async ({ family, protocol }) => {
      for (const [to, port] of [
        [VLAN_IPS[family], NODE_PORT],
        [CLUSTER_IPS[family], 80],
      ] as const) {
        const seen = await reach(cluster.client, to, port, protocol, { count: COUNT, timeoutMs: TIMEOUT_MS });
        reached += COUNT;
        expect([...seen.keys()]).toEqual([endpointOf(web, family)]);
        const own = addressesOf(node.namespace);
        for (const source of seen.get(endpointOf(web, family)) ?? []) expect(own).toContain(source);
      }
    },
  );
});

test('each connection was one flow, on the VLAN device', () => {
  const { events, drops, hooks } = status();
  expect(hooks.map(({ place }) => place)).toEqual(expect.arrayContaining(['eth0', 'eth0.5']));
  expect(events).toMatchObject({ flow_new: reached, snat_allocated: reached });
  expect(Object.entries(drops).filter(([, count]) => count > 0)).toEqual([]);
});
