// `turnout explain` beside what real packets do, in the same state of the node; and no trace of it in any table.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { serve, serviceWithSlices, TARGET_PORT } from '../../lab/service.ts';
import { type Manifest, until } from '../../lab/turnout.ts';
import type { ExplainReport } from '../../src/cli/explain-report.ts';
import { dumpMaps } from './map-dump.ts';
import { endpointOf, reach, refusal, sourceOf } from './traffic.ts';

type Answer = ExplainReport & { readonly answer: string };

const VIP = '203.0.113.10';
const PORTS = { shared: 30_080, one: 30_081, local: 30_082 } as const;

/** Small, so that they are dumped in no time. */
const SIZES = ['flow', 'service', 'backend'].map((table) => `--ebpf-${table}-table-size=1024`);

describe('explain', () => {
  let cluster: Cluster;
  let node1: ClusterNode;
  let near: Pod;
  let other: Pod;
  let far: Pod;

  beforeAll(async () => {
    cluster = new Cluster({ flags: SIZES });
    node1 = cluster.node(1);
    [near, other, far] = [node1.addPod('near'), node1.addPod('other'), cluster.node(2).addPod('far')];
    await Promise.all([serve(near), serve(far)]);
    await cluster.start();
    cluster.client.ip(`route add ${VIP} via ${node1.ipv4}`);
    await cluster.apply('services', services());
    // Nothing expires and nothing is written from now on but by packets: so a trace would be seen.
    await node1.turnout.stop();
  });
  afterAll(() => cluster?.close());

  const clusterIPs = (last: number): string[] => [`10.96.0.${last}`, `fd00:10:96::${last}`];
  const services = (): Manifest[] => {
    const [ranged, ...rangedSlices] = serviceWithSlices({
      ...{ name: 'ranged', clusterIPs: clusterIPs(14), pods: [far] },
      spec: { type: 'LoadBalancer', loadBalancerSourceRanges: ['198.51.100.0/24'] },
    });
    const affinity = { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 600 } } };
    const cidr = { apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', metadata: { name: 'kubernetes' } };
    return [
      ...serviceWithSlices({ name: 'shared', clusterIPs: clusterIPs(10), pods: [near, far], nodePort: PORTS.shared }),
      ...serviceWithSlices({ name: 'one', clusterIPs: clusterIPs(11), pods: [far], nodePort: PORTS.one }),
      ...serviceWithSlices({ name: 'none', clusterIPs: clusterIPs(12), pods: [] }),
      ...serviceWithSlices({
        ...{ name: 'local', clusterIPs: clusterIPs(13), pods: [far], nodePort: PORTS.local },
        spec: { externalTrafficPolicy: 'Local' },
      }),
      { ...ranged!, status: { loadBalancer: { ingress: [{ ip: VIP }] } } },
      ...rangedSlices,
      ...serviceWithSlices({ name: 'sticky', clusterIPs: clusterIPs(15), pods: [near, far], spec: affinity }),
      ...serviceWithSlices({ name: 'self', clusterIPs: clusterIPs(16), pods: [near] }),
      { ...cidr, spec: { cidrs: ['10.96.0.0/16', 'fd00:10:96::/112'] } },
    ];
  };

  /** The tables once no packet changes them any more: the last ones of a connection come after its end. */
  async function quietTables(): Promise<Record<string, string[]>> {
    let dump = dumpMaps(node1.turnout.bpffs);
    await until('no packet changes the tables', async () => {
      await new Promise((resolve) => setTimeout(resolve, 50));
      const before = JSON.stringify(dump);
      dump = dumpMaps(node1.turnout.bpffs);
      return before === JSON.stringify(dump);
    });
    return dump;
  }

  async function explain(source: string, target: string, ...flags: string[]): Promise<Answer> {
    const before = await quietTables();
    const answer = JSON.parse(node1.turnout.run('explain', source, target, '--output=json', ...flags)) as Answer;
    expect(dumpMaps(node1.turnout.bpffs)).toEqual(before);
    return answer;
  }

  const chosen = ({ candidates }: Answer): string[] =>
    (candidates?.rows ?? []).flatMap((row) => (row.chosen > 0 ? [row.endpoint] : [])).sort();
  const both = (family: 'IPv4' | 'IPv6') => [endpointOf(near, family), endpointOf(far, family)].sort();

  test('a dump tells when a table was written: the check of every answer here can fail', async () => {
    const before = await quietTables();
    await reach(cluster.client, node1.ipv4, PORTS.shared, 'TCP', { count: 1 });
    const after = await quietTables();
    for (const name of ['flows', 'flow_states', 'counters', 'service_stats']) expect(after[name], name).not.toEqual(before[name]);
  });

  test.each([
    ['IPv4', '10.96.0.10:80/TCP', '10.96.0.10'],
    ['IPv6', '[fd00:10:96::10]:80/TCP', 'fd00:10:96::10'],
  ] as const)('a ClusterIP from a pod over %s: by connect(), to the endpoints that are reached', async (family, target, to) => {
    const answer = await explain(family === 'IPv4' ? other.ipv4 : other.ipv6, target);
    expect(answer).toMatchObject({ client: { kind: 'pod' }, service: { namespace: 'default', name: 'shared', portName: 'tcp' } });
    expect(answer).toMatchObject({ socket: { outcome: 'translated' }, packet: { outcome: 'translated', isMasqueraded: false } });
    expect(chosen(answer)).toEqual(both(family));
    expect([...(await reach(other.namespace, to, 80, 'TCP')).keys()].sort()).toEqual(both(family));
  });

  test('UDP of a pod: by its packets, which keep their source', async () => {
    const answer = await explain(other.ipv4, '10.96.0.11:80/UDP', '--source-port=41001');
    expect(answer).toMatchObject({ socket: { outcome: 'none' }, packet: { outcome: 'translated', leaves: 'eth0' } });
    const [outcome] = await other.namespace.agent.connect({ protocol: 'UDP', to: '10.96.0.11', port: 80, fromPort: 41_001 });
    expect(outcome).toMatchObject({ ok: true, endpoint: answer.packet.backend, peer: answer.packet.seenSource });
  });

  test.each([
    ['IPv4', 'TCP'],
    ['IPv6', 'UDP'],
  ] as const)(
    'a node port from outside over %s %s: masqueraded as the address and port that the endpoint sees',
    async (family, protocol) => {
      const [from, to] = family === 'IPv4' ? [cluster.clientIpv4, node1.ipv4] : [cluster.clientIpv6, node1.ipv6];
      const target = `${family === 'IPv4' ? to : `[${to}]`}:${PORTS.one}/${protocol}`;
      const answer = await explain(from, target, '--source-port=41002');
      expect(answer).toMatchObject({
        client: { kind: 'external' },
        service: { frontend: 'NodePort' },
        socket: { outcome: 'none' },
      });
      expect(answer.packet).toMatchObject({ outcome: 'translated', isMasqueraded: true, enters: 'eth0', leaves: 'eth0' });
      const [outcome] = await cluster.client.agent.connect({ protocol, to, port: PORTS.one, fromPort: 41_002 });
      expect(outcome).toMatchObject({ ok: true, endpoint: answer.packet.backend, peer: answer.packet.seenSource });
    },
  );

  test('no endpoint: connect() of a pod is refused, and so is a packet', async () => {
    const answer = await explain(other.ipv4, '10.96.0.12:80/TCP');
    expect(answer).toMatchObject({ socket: { outcome: 'refused' }, packet: { outcome: 'rejected', reason: 'reject_sent' } });
    expect(answer.packet.advice).toContain('-n default -l kubernetes.io/service-name=none');
    expect(await refusal(other.namespace, '10.96.0.12', 80, 'TCP')).toEqual(['ECONNREFUSED']);
    expect((await explain(other.ipv4, '10.96.0.12:80/UDP')).packet).toMatchObject({ outcome: 'rejected' });
    expect(await refusal(other.namespace, '10.96.0.12', 80, 'UDP')).toEqual(['ECONNREFUSED']);
  });

  test('policy Local without a local endpoint: dropped for a client outside, translated for a pod', async () => {
    const target = `${node1.ipv4}:${PORTS.local}/TCP`;
    const outside = await explain(cluster.clientIpv4, target);
    expect(outside.packet).toMatchObject({ outcome: 'dropped', reason: 'no_local_endpoint' });
    expect(outside.candidates).toMatchObject({ list: 'local', rows: [], leftOut: [{ endpoint: endpointOf(far, 'IPv4') }] });
    expect(await refusal(cluster.client, node1.ipv4, PORTS.local, 'TCP')).toEqual(['ETIMEDOUT']);
    const inside = await explain(other.ipv4, target);
    expect(inside).toMatchObject({ socket: { outcome: 'left' }, packet: { outcome: 'translated', isMasqueraded: false } });
    const seen = await reach(other.namespace, node1.ipv4, PORTS.local, 'TCP', { count: 2 });
    expect(seen).toEqual(new Map([[inside.packet.backend, new Set([other.ipv4])]]));
  });

  test('a client outside of the source ranges is dropped', async () => {
    const answer = await explain(cluster.clientIpv4, `${VIP}:80/TCP`);
    expect(answer).toMatchObject({ service: { hasSourceRanges: true }, packet: { outcome: 'dropped', reason: 'source_range' } });
    expect(await refusal(cluster.client, VIP, 80, 'TCP')).toEqual(['ETIMEDOUT']);
  });

  test('a port that the ClusterIP does not have is rejected', async () => {
    const answer = await explain(other.ipv4, '10.96.0.10:81/TCP');
    expect(answer).toMatchObject({ service: null, socket: { outcome: 'none' }, packet: { outcome: 'rejected' } });
    expect(answer.rule).toContain('no port 81/TCP');
    expect(await refusal(other.namespace, '10.96.0.10', 81, 'TCP')).toEqual(['ECONNREFUSED']);
  });

  test('an address of the ServiceCIDR that no Service has is dropped', async () => {
    const answer = await explain(other.ipv4, '10.96.7.7:80/TCP');
    expect(answer.packet).toMatchObject({ outcome: 'dropped', reason: 'unallocated' });
    expect(await refusal(other.namespace, '10.96.7.7', 80, 'TCP')).toEqual(['ETIMEDOUT']);
  });

  test('what is no Service passes, on the way to a pod and to the node itself', async () => {
    const answer = await explain(other.ipv4, `${far.ipv4}:${TARGET_PORT}/TCP`);
    expect(answer).toMatchObject({ service: null, candidates: null, packet: { outcome: 'passed' } });
    const seen = await reach(other.namespace, far.ipv4, TARGET_PORT, 'TCP', { count: 2 });
    expect(seen).toEqual(new Map([[endpointOf(far, 'IPv4'), new Set([other.ipv4])]]));
    expect((await explain(cluster.clientIpv4, `${node1.ipv4}:22/TCP`)).rule).toContain('no node port');
  });

  test('sessionAffinity: a client is new, then stays with the endpoint it was given', async () => {
    const first = await explain(other.ipv4, '10.96.0.15:80/TCP');
    expect(first).toMatchObject({ socket: { outcome: 'left' }, packet: { outcome: 'translated' } });
    expect([first.affinity, chosen(first)]).toEqual([expect.stringContaining('is new'), both('IPv4')]);
    const [given] = [...(await reach(other.namespace, '10.96.0.15', 80, 'TCP', { count: 1 })).keys()];
    const then = await explain(other.ipv4, '10.96.0.15:80/TCP');
    expect([then.affinity, chosen(then)]).toEqual([expect.stringContaining(`was given ${given}`), [given]]);
    expect([...(await reach(other.namespace, '10.96.0.15', 80, 'TCP')).keys()]).toEqual([given]);
  });

  test('a flow that exists keeps its endpoint, and is told of when another port asks', async () => {
    const request = { protocol: 'UDP', to: '10.96.0.10', port: 80, fromPort: 41_003, udp: 'connected' } as const;
    const [held] = await other.namespace.agent.hold('flow', request);
    const given = held?.ok ? held.endpoint : '';
    for (let i = 0; i < 4; i++) {
      const answer = await explain(other.ipv4, '10.96.0.10:80/UDP', '--source-port=41003');
      expect(answer).toMatchObject({ flow: expect.stringContaining(`to ${given}`), packet: { backend: given } });
    }
    expect((await explain(other.ipv4, '10.96.0.10:80/UDP')).flow).toContain(`port 41003 to ${given}`);
    expect((await other.namespace.agent.answers('flow')).endpoints).toEqual([given]);
    await other.namespace.agent.release('flow');
  });

  test('a source port that another connection has is not promised again', async () => {
    const to = { protocol: 'TCP', to: node1.ipv4, port: PORTS.one } as const;
    const target = `${node1.ipv4}:${PORTS.one}/TCP`;
    // This client's own port is in the SNAT range, so it is kept; then another client of the same port cannot have it.
    const flags = ['--source-port=20007'];
    const [first] = await cluster.client.agent.hold('first', { ...to, fromPort: 20_007 });
    expect(first).toMatchObject({ ok: true, peer: `${node1.ipv4}:20007` });
    const second = cluster.addMachine('second', '192.168.50.101', 'fd50::101');
    const answer = await explain('192.168.50.101', target, ...flags);
    expect(answer.packet.seenSource).not.toBe(`${node1.ipv4}:20007`);
    const [outcome] = await second.agent.connect({ ...to, fromPort: 20_007 });
    expect(outcome).toMatchObject({ ok: true, peer: answer.packet.seenSource });
    await cluster.client.agent.release('first');
  });

  test('a pod that is its own endpoint: left to the packet path and masqueraded', async () => {
    const answer = await explain(near.ipv4, '10.96.0.16:80/TCP');
    expect(answer).toMatchObject({ socket: { outcome: 'left' }, packet: { outcome: 'translated', isMasqueraded: true } });
    const [outcome] = await near.namespace.agent.connect({ protocol: 'TCP', to: '10.96.0.16', port: 80 });
    expect(outcome && sourceOf(outcome)).toBe(answer.packet.seenSource.split(':')[0]);
  });

  test('a process of the node: by connect(); its packets would enter by its own port', async () => {
    const answer = await explain('node', '10.96.0.10:80/UDP');
    expect(answer).toMatchObject({ client: { kind: 'node' }, socket: { outcome: 'translated' } });
    expect(answer.packet).toMatchObject({ outcome: 'translated', enters: 'turnout1', isMasqueraded: true });
    expect(chosen(answer)).toEqual(both('IPv4'));
    await reachesBoth(node1.namespace);
    const refused = await explain('node', '10.96.0.12:80/TCP');
    expect(refused.socket.outcome).toBe('refused');
    expect(await refusal(node1.namespace, '10.96.0.12', 80, 'TCP')).toEqual(['ECONNREFUSED']);
    const loopback = await explain('node', `127.0.0.1:${PORTS.shared}/TCP`);
    expect(loopback).toMatchObject({ socket: { outcome: 'translated' }, packet: { outcome: 'unseen' } });
  });

  async function reachesBoth(from: Namespace): Promise<void> {
    expect([...(await reach(from, '10.96.0.10', 80, 'UDP')).keys()].sort()).toEqual(both('IPv4'));
  }

  test('a source that the node has no route to needs --device, and a device without hooks is told', async () => {
    const target = `${node1.ipv4}:${PORTS.one}/TCP`;
    expect(() => node1.turnout.run('explain', '192.0.2.7', target)).toThrow(/name the device with --device/);
    expect((await explain('192.0.2.7', target, '--device=eth0')).packet.enters).toBe('eth0');
    expect((await explain('192.0.2.7', target, '--device=lo')).packet).toMatchObject({ outcome: 'unseen' });
  });
});
