// `turnout explain` where pods are ports of a bridge: packets come in by a port, the stack sees the bridge.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import { serve, serviceWithSlices } from '../../lab/service.ts';
import type { ExplainReport } from '../../src/cli/explain-report.ts';

let cluster: Cluster;
let node: ClusterNode;
let pod: Pod;
let neighbour: Pod;

beforeAll(async () => {
  cluster = new Cluster({ nodes: 1, pods: 'bridge' });
  node = cluster.node(1);
  [pod, neighbour] = [node.addPod('pod'), node.addPod('neighbour')];
  await Promise.all([serve(pod), serve(neighbour)]);
  await cluster.start();
  const clusterIPs = ['10.96.0.10', 'fd00:10:96::10'];
  await cluster.apply('web', serviceWithSlices({ name: 'web', clusterIPs, pods: [neighbour] }));
});
afterAll(() => cluster?.close());

test.each([
  ['IPv4', '10.96.0.10:80/UDP', '10.96.0.10'],
  ['IPv6', '[fd00:10:96::10]:80/UDP', 'fd00:10:96::10'],
] as const)('a packet over %s comes in by the port of its pod and leaves by that of the endpoint', async (family, target, to) => {
  const source = family === 'IPv4' ? pod.ipv4 : pod.ipv6;
  // The bridge learns behind which port an address is from what it sends.
  const gateway = family === 'IPv4' ? '10.244.1.1' : 'fd00:10:244:1::1';
  for (const one of [pod, neighbour]) await one.namespace.agent.connect({ protocol: 'TCP', to: gateway, port: 9 });
  const { packet } = JSON.parse(node.turnout.run('explain', source, target, '--source-port=41001', '-ojson')) as ExplainReport;
  expect(packet).toMatchObject({ outcome: 'translated', isMasqueraded: false, enters: 'p-pod', leaves: 'p-neighbour' });
  const [outcome] = await pod.namespace.agent.connect({ protocol: 'UDP', to, port: 80, fromPort: 41_001 });
  expect(outcome).toMatchObject({ ok: true, endpoint: packet.backend, peer: packet.seenSource });
});

test('a pod that reaches itself is masqueraded as the address that it sees', async () => {
  const { packet } = JSON.parse(
    node.turnout.run('explain', neighbour.ipv4, '10.96.0.10:80/UDP', '--source-port=41002', '-ojson'),
  ) as ExplainReport;
  expect(packet).toMatchObject({ outcome: 'translated', isMasqueraded: true });
  const [outcome] = await neighbour.namespace.agent.connect({ protocol: 'UDP', to: '10.96.0.10', port: 80, fromPort: 41_002 });
  expect(outcome).toMatchObject({ ok: true, peer: packet.seenSource });
});

test('the running process tells why an endpoint is left out', async () => {
  const clusterIPs = ['10.96.0.11', 'fd00:10:96::11'];
  const [service, ...slices] = serviceWithSlices({ name: 'partly', clusterIPs, pods: [pod, neighbour] });
  const unready = slices.map((slice) => {
    const [first, ...rest] = slice['endpoints'] as { addresses: string[] }[];
    return { ...slice, endpoints: [{ ...first, conditions: { ready: false, serving: false } }, ...rest] };
  });
  await cluster.apply('partly', [service!, ...unready]);
  const ask = () => JSON.parse(node.turnout.run('explain', pod.ipv4, '10.96.0.11:80/TCP', '-ojson')) as ExplainReport;
  expect(ask().candidates).toMatchObject({
    rows: [{ endpoint: `${neighbour.ipv4}:8080`, chosen: 64 }],
    leftOut: [{ endpoint: `${pod.ipv4}:8080`, why: 'not ready' }],
  });
  await node.turnout.stop();
  expect(ask().candidates).toMatchObject({ rows: [{ endpoint: `${neighbour.ipv4}:8080` }], leftOut: [] });
});
