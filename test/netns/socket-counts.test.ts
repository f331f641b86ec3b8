// Connections of the socket path in the counters of Services and endpoints: no packet of theirs meets a program.
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import { DatagramSocket } from '../../lab/datagram-socket.ts';
import { serve, serviceWithSlices } from '../../lab/service.ts';
import { until } from '../../lab/turnout.ts';
import { LB_STATS_SIZE, readStats } from '../../src/datapath/layout.gen.ts';
import { BpfMap } from '../../src/native/bpf-map.ts';
import { CLUSTER_IPS, FAMILIES } from './traffic.ts';

const COUNT = 10;

describe('connections of the socket path', () => {
  let cluster: Cluster;
  let node1: ClusterNode;
  let near: Pod;

  beforeAll(async () => {
    cluster = new Cluster();
    node1 = cluster.node(1);
    near = node1.addPod('near');
    await serve(near);
    await cluster.start();
    await cluster.apply('web', serviceWithSlices({ name: 'web', clusterIPs: Object.values(CLUSTER_IPS), pods: [near] }));
  });
  afterAll(() => cluster?.close());

  /** Of all rows of a table together: nobody else has Services here. */
  const sums = (table: 'service_stats' | 'backend_stats'): { connections: number; socketsOpen: number; replyPackets: number } => {
    const [path = ''] = globSync(join(node1.turnout.bpffs, 'turnout/*/*/maps', table));
    const map = BpfMap.openPinned(path);
    const rows = map.mmap();
    const sum = { connections: 0, socketsOpen: 0, replyPackets: 0 };
    for (let at = 0; at < rows.length; at += LB_STATS_SIZE) {
      const row = readStats(rows, at);
      sum.connections += Number(row.connections);
      sum.socketsOpen += Number(row.socketsOpen);
      sum.replyPackets += Number(row.replyPackets);
    }
    map.close();
    return sum;
  };

  test.each([
    ...FAMILIES.flatMap((family) => [
      { family, protocol: 'TCP' as const },
      { family, protocol: 'UDP' as const },
    ]),
  ])('are open until their sockets are closed: $family $protocol', async ({ family, protocol }) => {
    const before = { service: sums('service_stats'), backend: sums('backend_stats') };
    const request = { protocol, to: CLUSTER_IPS[family], port: 80, count: COUNT };
    await node1.namespace.agent.hold('held', request);
    const held = { service: sums('service_stats'), backend: sums('backend_stats') };
    expect(held.service.connections - before.service.connections).toBe(COUNT);
    expect(held.backend.connections - before.backend.connections).toBe(COUNT);
    expect(held.backend.socketsOpen - before.backend.socketsOpen).toBe(COUNT);
    await node1.namespace.agent.release('held');
    await until('all are closed', () => sums('backend_stats').socketsOpen === before.backend.socketsOpen);
    expect(sums('backend_stats').connections).toBe(held.backend.connections);
    expect(sums('backend_stats').replyPackets).toBe(before.backend.replyPackets);
  });

  test('a socket that never connects counts with its first datagram', async () => {
    const before = sums('service_stats').connections;
    const request = { protocol: 'UDP' as const, to: CLUSTER_IPS.IPv4, port: 80, count: COUNT, udp: 'unconnected' as const };
    await node1.namespace.agent.connect(request);
    expect(sums('service_stats').connections - before).toBe(COUNT);
  });

  test('a socket that sends many datagrams without connecting is one connection', async () => {
    const before = sums('service_stats').connections;
    const socket = await DatagramSocket.open(node1.namespace, node1.ipv4, 40_001);
    for (let seed = 1; seed <= COUNT; seed++) socket.send(CLUSTER_IPS.IPv4, 80, 100, seed);
    await until('all are sent', () => socket.received.length >= COUNT);
    await socket.close();
    expect(sums('service_stats').connections - before).toBe(1);
  });
});
