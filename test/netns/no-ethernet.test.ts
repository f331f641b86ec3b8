// Pods and clients behind devices whose packets begin with the IP header (tun, wireguard, ipip): every way that Ethernet has.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { serve, serviceWithSlices } from '../../lab/service.ts';
import { tunCable } from '../../lab/tun.ts';
import { addressesOf, CLUSTER_IPS, endpointOf, type Family, ipOf, KINDS, NODE_PORT, reach, refusal } from './traffic.ts';

const EMPTY_IPS = { IPv4: '10.96.0.11', IPv6: 'fd00:10:96::11' } as const;
const EMPTY_NODE_PORT = 30_081;

describe('with devices without Ethernet header', () => {
  let cluster: Cluster;
  let node: ClusterNode;
  let wired: Pod; // on a veth
  let tunnelled: Pod; // on a tun
  let vpn: Namespace; // a machine outside, on a tun

  beforeAll(async () => {
    cluster = new Cluster({ nodes: 1, flags: ['--ebpf-socket-path=off'] });
    node = cluster.node(1);
    wired = node.addPod('wired');
    const { lab } = cluster;
    const namespace = lab.namespace('tunnelled');
    tunnelled = { name: 'tunnelled', nodeName: node.name, namespace, ipv4: '10.244.1.200', ipv6: 'fd00:10:244:1::200' };
    await tunCable(lab, node.namespace, 'tun-pod', namespace, 'tun0');
    await Promise.all([serve(wired)]);
    await cluster.start();
    // A device that is there before the process, and one that comes later.
    vpn = lab.namespace('vpn');
    await tunCable(lab, node.namespace, 'tun-vpn', vpn, 'tun0');
    for (const [device, far, v4, v6] of [
      ['tun-pod', namespace, tunnelled.ipv4, tunnelled.ipv6],
      ['tun-vpn', vpn, '192.168.60.2', 'fd60::2'],
    ] as const) {
      far.ip(`addr add ${v4}/32 dev tun0`, `addr add ${v6}/128 dev tun0`);
      far.ip('-4 route add default dev tun0', '-6 route add default dev tun0');
      node.namespace.ip(`-4 route add ${v4}/32 dev ${device}`, `-6 route add ${v6}/128 dev ${device}`);
    }
    await serve(tunnelled);
    await cluster.apply('services', [
      ...serviceWithSlices({
        ...{ name: 'web', clusterIPs: Object.values(CLUSTER_IPS), pods: [wired, tunnelled], nodePort: NODE_PORT },
      }),
      ...serviceWithSlices({ name: 'empty', clusterIPs: Object.values(EMPTY_IPS), pods: [], nodePort: EMPTY_NODE_PORT }),
    ]);
  });
  afterAll(() => cluster?.close());

  const endpoints = (family: Family): string[] => [wired, tunnelled].map((pod) => endpointOf(pod, family)).sort();

  describe.each(KINDS)('$family $protocol', ({ family, protocol }) => {
    test('pods behind them, and others, reach endpoints behind them, and others, and are seen as themselves', async () => {
      for (const from of [tunnelled, wired]) {
        const seen = await reach(from.namespace, CLUSTER_IPS[family], 80, protocol);
        expect([...seen.keys()].sort()).toEqual(endpoints(family));
        const own = addressesOf(node.namespace);
        for (const [endpoint, sources] of seen) {
          if (endpoint !== endpointOf(from, family)) expect([...sources]).toEqual([ipOf(from, family)]);
          else for (const source of sources) expect(own).toContain(source); // itself, by way of the node
        }
      }
    });

    test('clients behind them, and others, reach endpoints through the node port, masqueraded', async () => {
      for (const from of [vpn, cluster.client]) {
        const seen = await reach(from, ipOf(node, family), NODE_PORT, protocol, { octets: 4000 });
        expect([...seen.keys()].sort()).toEqual(endpoints(family));
        const own = addressesOf(node.namespace);
        for (const source of [...seen.values()].flatMap((sources) => [...sources])) expect(own).toContain(source);
      }
    });

    test('a Service without endpoints refuses clients and pods behind them', async () => {
      expect(await refusal(tunnelled.namespace, EMPTY_IPS[family], 80, protocol)).toEqual(['ECONNREFUSED']);
      expect(await refusal(vpn, ipOf(node, family), EMPTY_NODE_PORT, protocol)).toEqual(['ECONNREFUSED']);
    });
  });
});
