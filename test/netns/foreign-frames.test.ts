// Frames that a device sees and that are not for this node's stack: to another machine's address, seen in promiscuous mode, and of a
// VLAN, whose own device translates them. No flow, no refusal, no counter; and they stay as they are.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { captureOne } from '../../lab/capture.ts';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import { macOf } from '../../lab/pod-network.ts';
import { serve, serviceWithSlices, TARGET_PORT } from '../../lab/service.ts';
import { toolPath } from '../../lab/tool.ts';
import { OTHER_MAC, type Packet, tcp, udp } from '../datapath/packet/packet.ts';
import { octetsOf } from '../datapath/packet/write-packet.ts';
import { counted } from './counters.ts';
import { CLUSTER_IPS, FAMILIES, type Family, ipOf, KINDS, NODE_PORT, refusal } from './traffic.ts';

const EMPTY_NODE_PORT = 30_081;
const VLAN_TAG = Buffer.from('81000005', 'hex');

describe('frames for others', () => {
  let cluster: Cluster;
  let node: ClusterNode;
  let near: Pod;

  beforeAll(async () => {
    cluster = new Cluster({ nodes: 1 });
    node = cluster.node(1);
    near = node.addPod('near');
    node.namespace.ip('link set eth0 promisc on');
    await serve(near);
    await cluster.start();
    await cluster.apply('services', [
      ...serviceWithSlices({ name: 'web', clusterIPs: Object.values(CLUSTER_IPS), pods: [near], nodePort: NODE_PORT }),
      ...serviceWithSlices({ name: 'empty', clusterIPs: ['10.96.0.11', 'fd00:10:96::11'], pods: [], nodePort: EMPTY_NODE_PORT }),
    ]);
  });
  afterAll(() => cluster?.close());

  const clientIp = (family: Family): string => (family === 'IPv4' ? cluster.clientIpv4 : cluster.clientIpv6);
  /** The client takes this for the node's hardware address; the fabric then floods its frames to everybody. */
  const believe = (mac: string, family: Family): void =>
    cluster.client.ip(`neigh replace ${ipOf(node, family)} lladdr ${mac} dev eth0 nud permanent`);

  test.each(KINDS)("to another machine's hardware address are left alone: $family $protocol", async ({ family, protocol }) => {
    const { agent } = cluster.client;
    const toService = { protocol, to: ipOf(node, family), port: NODE_PORT, timeoutMs: 5000, udp: 'connected' } as const;
    const own = macOf(node.namespace, 'eth0');
    const lost = { ok: false, error: 'ETIMEDOUT' };
    believe(own, family);
    expect(await agent.hold('before', toService)).toMatchObject([{ ok: true }]);
    const counts = await counted(node, async () => {
      believe(OTHER_MAC, family);
      expect(await agent.connect({ ...toService, timeoutMs: 300 })).toEqual([lost]);
      expect(await agent.connect({ ...toService, port: EMPTY_NODE_PORT, timeoutMs: 300 })).toEqual([lost]);
      expect(await agent.check('before', 300)).toMatchObject({ alive: 0 });
    });
    expect(counts).toEqual({});
    believe(own, family);
    expect(await agent.check('before')).toMatchObject({ held: 1, alive: 1 });
    await agent.release('before');
    expect(await refusal(cluster.client, ipOf(node, family), EMPTY_NODE_PORT, protocol)).toEqual(['ECONNREFUSED']);
  });

  const hex = (packet: Packet, isTagged: boolean): string => {
    const octets = Buffer.from(octetsOf(packet));
    return (isTagged ? Buffer.concat([octets.subarray(0, 12), VLAN_TAG, octets.subarray(12)]) : octets).toString('hex');
  };

  test.each(FAMILIES)('of a VLAN pass on the way in: %s', async (family) => {
    const ethernet = { destination: macOf(node.namespace, 'eth0'), source: macOf(cluster.client, 'eth0') };
    const ends = { source: clientIp(family), destination: ipOf(node, family), ethernet };
    const toService = { sourcePort: 45_000, destinationPort: NODE_PORT };
    const nowhere = { sourcePort: 45_000, destinationPort: EMPTY_NODE_PORT };
    const packets = [tcp({ ...ends, ...toService }), udp({ ...ends, ...toService }), udp({ ...ends, ...nowhere })];
    const send = async (isTagged: boolean): Promise<void> =>
      void cluster.client.run(toolPath('send-frame'), 'eth0', ...packets.map((packet) => hex(packet, isTagged)));
    expect(await counted(node, () => send(true))).toEqual({});
    expect(await counted(node, () => send(false))).toMatchObject({ flow_new: 2, reject_sent: 1 });
  });

  test.each(FAMILIES)('of a VLAN pass on the way out: %s', async (family) => {
    const fromPort = 45_001;
    const request = { protocol: 'UDP', to: ipOf(node, family), port: NODE_PORT, fromPort } as const;
    expect(await cluster.client.agent.connect(request)).toMatchObject([{ ok: true }]);
    // The reply of that flow, as the stack hands it to the device.
    const ethernet = { destination: macOf(cluster.client, 'eth0'), source: macOf(node.namespace, 'eth0') };
    const ends = { source: ipOf(near, family), destination: clientIp(family), ethernet };
    const reply = udp({ ...ends, sourcePort: TARGET_PORT, destinationPort: fromPort });
    const seen = (isTagged: boolean): Promise<string> =>
      captureOne(cluster.client, 'eth0', isTagged ? 'vlan and udp' : `udp and dst port ${fromPort}`, () =>
        node.namespace.run(toolPath('send-frame'), 'eth0', hex(reply, isTagged)),
      );
    expect(await seen(true)).toContain(`${ipOf(near, family)}.${TARGET_PORT} > `);
    expect(await seen(false)).toContain(`${ipOf(node, family)}.${NODE_PORT} > `);
  });
});
