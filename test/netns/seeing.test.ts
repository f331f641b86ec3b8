// What a node shows of its traffic, beside the traffic: flows, monitor, top and metrics, with real connections.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Outcome } from '../../lab/agent-protocol.ts';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import { serve, serviceWithSlices } from '../../lab/service.ts';
import { until } from '../../lab/turnout.ts';
import { readMonitor } from '../../src/datapath/layout.gen.ts';
import { BpfMap } from '../../src/native/bpf-map.ts';
import { RingBuffer } from '../../src/native/ring-buffer.ts';
import { monotonicNs } from '../../src/native/system.ts';
import { RunningCommand } from './command.ts';
import { CLUSTER_IPS, FAMILIES, type Family, ipOf, NODE_PORT, reach, refusal } from './traffic.ts';

const EMPTY_PORT = NODE_PORT + 1; // of a Service without endpoints
const LOCAL_PORT = NODE_PORT + 2; // of a Service with a Local policy and no endpoint here
const IP_AND_UDP_OCTETS = { IPv4: 28, IPv6: 48 } as const;
const PAYLOAD = 100;

interface End {
  readonly address: string;
  readonly port: number;
}
interface FlowJson {
  readonly protocol: string;
  readonly client: End;
  readonly source: End;
  readonly [field: string]: unknown;
}
interface EventJson {
  readonly kind: string;
  readonly source: End | null;
  readonly frontend: End;
  readonly [field: string]: unknown;
}
interface TopJson {
  readonly intervalSeconds: number;
  readonly services: readonly {
    name: string;
    portName: string;
    perSecond: { connections: number };
    active: number;
    totals: Record<string, number>;
  }[];
}

let cluster: Cluster;
let node1: ClusterNode;
let pod: Pod;

beforeAll(async () => {
  cluster = new Cluster({ nodes: 1 });
  node1 = cluster.node(1);
  pod = node1.addPod('web');
  await serve(pod);
  await cluster.start();
  const ips = (last: number) => [`10.96.0.${last}`, `fd00:10:96::${last}`];
  const elsewhere = { ...pod, nodeName: 'elsewhere' };
  await cluster.apply('services', [
    ...serviceWithSlices({ name: 'web', clusterIPs: Object.values(CLUSTER_IPS), pods: [pod], nodePort: NODE_PORT }),
    ...serviceWithSlices({ name: 'empty', clusterIPs: ips(20), pods: [], nodePort: EMPTY_PORT }),
    ...serviceWithSlices({
      name: 'far',
      clusterIPs: ips(30),
      pods: [elsewhere],
      nodePort: LOCAL_PORT,
      spec: { externalTrafficPolicy: 'Local' },
    }),
  ]);
});
afterAll(() => cluster?.close());

const clientIp = (family: Family): string => (family === 'IPv4' ? cluster.clientIpv4 : cluster.clientIpv6);
const flows = (...args: string[]): FlowJson[] => JSON.parse(node1.turnout.run('flows', '--output=json', ...args)) as FlowJson[];
const portOf = (end: string): number => Number(/:(\d+)$/.exec(end)?.[1]);

/** One datagram of PAYLOAD octets to the node port and its answer. */
async function datagram(family: Family): Promise<Extract<Outcome, { ok: true }>> {
  const to = { protocol: 'UDP', to: ipOf(node1, family), port: NODE_PORT, udp: 'connected', octets: PAYLOAD } as const;
  const [outcome] = await cluster.client.agent.connect(to);
  if (outcome?.ok !== true) throw new Error(`no answer: ${outcome?.error}`);
  return outcome;
}

describe('flows', () => {
  test.each(FAMILIES)('shows a %s exchange with its names, addresses, packets and octets', async (family) => {
    const { endpoint, peer } = await datagram(family);
    const [flow, ...others] = flows(`--client=${clientIp(family)}`, '--protocol=UDP');
    expect(others).toEqual([]);
    expect(flow).toMatchObject({
      family,
      client: { address: clientIp(family) },
      frontend: { address: ipOf(node1, family), port: NODE_PORT },
      backend: { address: ipOf(pod, family), port: 8080 },
      source: { address: ipOf(node1, family), port: portOf(peer) },
      service: { namespace: 'default', name: 'web', portName: 'udp', port: 80 },
      ...{ state: 'replied', replied: true, masqueraded: true, stale: false },
      requestPackets: 1,
      requestBytes: IP_AND_UDP_OCTETS[family] + PAYLOAD,
      replyPackets: 1,
      replyBytes: IP_AND_UDP_OCTETS[family] + `${endpoint} ${peer}`.length,
    });
  });

  test('of a connection tell its state, and keep counting', async () => {
    await cluster.client.agent.hold('kept', { protocol: 'TCP', to: node1.ipv4, port: NODE_PORT });
    const kept = (): FlowJson | undefined => flows('--service=default/web:tcp', '--state=established')[0];
    const before = kept();
    expect(before).toMatchObject({ protocol: 'TCP', state: 'established', frontend: { port: NODE_PORT } });
    await cluster.client.agent.check('kept');
    expect(Number(kept()?.['requestBytes'])).toBeGreaterThan(Number(before?.['requestBytes']));
    await cluster.client.agent.release('kept');
    await until('the flow is closed', () => flows('--state=closed', `--client=:${before?.client.port}`).length === 1);
    expect(flows('--state=established')).toEqual([]);
  });

  test('are none for a Service that is not there, and a wrong CIDR is an error that says where', () => {
    expect(flows('--service=no/such')).toEqual([]);
    expect(() => node1.turnout.run('flows', '--client=10.0.0.0/40')).toThrow(
      /exit 2: turnout: --client: "10\.0\.0\.0\/40" must have a prefix length from 0 to 32 at character 10/,
    );
  });

  test('say how many connections have none, since connect() translated them', async () => {
    await node1.namespace.agent.hold('socket', { protocol: 'TCP', to: CLUSTER_IPS.IPv4, port: 80, count: 2 });
    expect(node1.turnout.run('flows', '--service=default/web')).toContain('2 more connections have no flow');
    await node1.namespace.agent.release('socket');
    await until('the sockets are closed', () => !node1.turnout.run('flows').includes('no flow:'));
  });

  test('can be counted only', async () => {
    await datagram('IPv4');
    expect(node1.turnout.run('flows', '--count', '--protocol=UDP')).toMatch(/^default\/web:udp +[1-9]/m);
  });
});

describe('monitor', () => {
  async function monitor(...args: string[]): Promise<RunningCommand> {
    const command = new RunningCommand(node1, 'monitor', '--output=json', ...args);
    await command.said('looks at');
    return command;
  }
  const [client, frontend] = [() => clientIp('IPv4'), () => node1.ipv4];

  test('tells a drop, a reject, a new flow and a socket as they happen, each with who, where and why', async () => {
    const command = await monitor();
    try {
      const { peer } = await datagram('IPv4');
      const flow = await command.object<EventJson>(({ kind }) => kind === 'new');
      expect(flow).toMatchObject({
        protocol: 'UDP',
        source: { address: client() },
        frontend: { address: frontend(), port: NODE_PORT },
        backend: { address: pod.ipv4, port: 8080 },
        ...{ device: 'eth0', hook: 'ingress', service: { namespace: 'default', name: 'web', portName: 'udp', port: 80 } },
      });
      expect(flows(`--client=:${flow.source?.port}`)[0]?.source.port).toBe(portOf(peer));
      expect(flow).not.toHaveProperty('reason');
      expect(Math.abs(Date.parse(String(flow['time'])) - Date.now())).toBeLessThan(60_000);

      expect(await refusal(cluster.client, node1.ipv4, EMPTY_PORT, 'TCP')).toEqual(['ECONNREFUSED']);
      expect(await command.object<EventJson>(({ kind }) => kind === 'reject')).toMatchObject({
        ...{ reason: 'reject_sent', protocol: 'TCP', source: { address: client() }, backend: null },
        ...{ frontend: { address: frontend(), port: EMPTY_PORT }, service: { name: 'empty', portName: 'tcp' } },
        meaning: expect.stringContaining('no endpoint'),
        advice: expect.stringContaining('turnout services'),
      });

      await cluster.client.agent.connect({ protocol: 'UDP', to: node1.ipv4, port: LOCAL_PORT, timeoutMs: 200 });
      expect(await command.object<EventJson>(({ kind }) => kind === 'drop')).toMatchObject({
        ...{ reason: 'no_local_endpoint', protocol: 'UDP', source: { address: client() }, device: 'eth0' },
        ...{ frontend: { address: frontend(), port: LOCAL_PORT }, service: { name: 'far', portName: 'udp' } },
      });

      await reach(node1.namespace, CLUSTER_IPS.IPv6, 80, 'TCP', { count: 1 });
      expect(await command.object<EventJson>(({ kind }) => kind === 'socket')).toMatchObject({
        ...{ protocol: 'TCP', source: null, device: null, hook: 'socket', service: { name: 'web', portName: 'tcp' } },
        ...{ frontend: { address: CLUSTER_IPS.IPv6, port: 80 }, backend: { address: pod.ipv6, port: 8080 } },
      });
    } finally {
      expect(await command.end('SIGINT')).toBe(0);
    }
  });

  test('filters and counts', async () => {
    const command = await monitor('--rejects', '--service=*/empty', '--count=2');
    await datagram('IPv4');
    await refusal(cluster.client, node1.ipv4, EMPTY_PORT, 'TCP');
    expect(await command.end()).toBe(0);
    expect(command.lines.map((line) => (JSON.parse(line) as EventJson).kind)).toEqual(['reject', 'reject']);
  });

  test('explains a reason once in text', async () => {
    const command = new RunningCommand(node1, 'monitor', '--rejects', '--count=3');
    await command.said('looks at');
    await refusal(cluster.client, node1.ipv4, EMPTY_PORT, 'TCP');
    expect(await command.end()).toBe(0);
    const [first = '', meaning = '', advice = '', ...others] = command.lines;
    expect(first).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} {2}reject {2}reject_sent .* -> 192\.168\.50\.11:30081 {2}\(eth0 ingress\) {2}default\/empty:tcp$/,
    );
    expect([meaning, advice]).toEqual([expect.stringMatching(/^# reject_sent: The Service/), expect.stringMatching(/^# {3}-> /)]);
    expect(others.map((line) => line.includes('  reject  '))).toEqual([true, true]);
  });

  test('is one at a time: the second names the first and leaves', async () => {
    const first = await monitor();
    const second = new RunningCommand(node1, 'monitor');
    expect(await second.end()).toBe(1);
    expect(second.stderr).toContain(`another turnout monitor (pid ${first.pid}, since 20`);
    expect(second.stderr).toContain(`kill ${first.pid}`);
    expect(await first.end('SIGTERM')).toBe(0);
  });

  test('ends quietly when nobody reads it any more', async () => {
    const command = await monitor();
    command.stopReading();
    let isOver = false;
    const ended = command.end().finally(() => {
      isOver = true;
    });
    while (!isOver) await datagram('IPv4');
    expect(await ended).toBe(0);
    expect(command.stderr).not.toContain('EPIPE');
  });

  describe('the lease', () => {
    const pinned = (name: string): BpfMap => {
      const { pinFolder } = JSON.parse(node1.turnout.run('status', '--output=json')) as { pinFolder: string };
      return BpfMap.openPinned(join(pinFolder, 'maps', name));
    };

    test('comes with a number of events that were missed, which is told', async () => {
      const row = pinned('monitor');
      const command = await monitor('--drops');
      try {
        // As programs do when the ring is full.
        const missed = new BigUint64Array(row.mmap().buffer, row.mmap().byteOffset, 2);
        Atomics.add(missed, 1, 7n);
        expect(await command.object<EventJson>(({ kind }) => kind === 'missed')).toMatchObject({ count: 7 });
      } finally {
        row.close();
        expect(await command.end('SIGINT')).toBe(0);
      }
      expect(command.lines).toHaveLength(1);
    });

    test('ends with the monitor, and by itself when the monitor is killed: then no event is made', async () => {
      const [row, ring] = [pinned('monitor'), pinned('monitored')];
      const ended = await monitor();
      expect(readMonitor(row.mmap())).toMatchObject({ kinds: 0b1111 });
      await ended.end('SIGINT');
      expect(readMonitor(row.mmap())).toMatchObject({ untilNs: 0n, kinds: 0 });

      const killed = await monitor();
      expect(await killed.end('SIGKILL')).toBe(null);
      await until('the lease has run out', () => readMonitor(row.mmap()).untilNs < monotonicNs());
      let records = 0;
      const reader = new RingBuffer(ring, () => records++);
      try {
        await until('what is left was read', async () => {
          const before = records;
          await new Promise((resolve) => setImmediate(resolve));
          return records === before;
        });
        const left = records;
        await reach(cluster.client, node1.ipv4, NODE_PORT, 'TCP', { count: 5 });
        // The ring is read in order: what the five had made would come before what the next monitor makes.
        const view = row.mmap();
        new DataView(view.buffer, view.byteOffset).setBigUint64(0, monotonicNs() + 60_000_000_000n, true);
        await datagram('IPv4');
        await until('an event comes', () => records > left);
        expect(records - left).toBe(1);
      } finally {
        reader.close();
        row.mmap().fill(0);
        row.close();
        ring.close();
      }
    });
  });
});

describe('top', () => {
  const webOf = ({ services }: TopJson) => services.find(({ name, portName }) => name === 'web' && portName === 'tcp');

  test('shows connections as they are made, and loses none between two looks', async () => {
    const command = new RunningCommand(node1, 'top', '--interval=200ms', '--output=json', '--service=default/*');
    const first = await command.object<TopJson>(() => true);
    const before = webOf(first)?.totals['connections'] ?? Number.NaN;
    await reach(cluster.client, node1.ipv4, NODE_PORT, 'TCP', { count: 30 });
    await command.object<TopJson>((look) => webOf(look)?.totals['connections'] === before + 30);
    expect(await command.end('SIGINT')).toBe(0);
    const looks = command.lines.slice(1).map((line) => JSON.parse(line) as TopJson);
    const counted = looks.reduce((sum, look) => sum + (webOf(look)?.perSecond.connections ?? 0) * look.intervalSeconds, 0);
    expect(Math.round(counted)).toBe(30);
    expect(looks.flatMap(({ services }) => services).some(({ name }) => name.startsWith('marker'))).toBe(false);
  });

  test('once, as a table, has the Services and ends', async () => {
    await reach(cluster.client, node1.ipv4, NODE_PORT, 'UDP', { count: 3 });
    const text = node1.turnout.run('top', '--once', '--interval=100ms', '--by=connections');
    expect(text).toMatch(/^default\/web:tcp +TCP( +\S+){8}$/m);
    const backends = node1.turnout.run('top', '--once', '--interval=100ms', '--backends', `--backend=${pod.ipv4}`);
    expect(backends).toMatch(new RegExp(`^default/web:udp +${pod.ipv4}:8080 +UDP `, 'm'));
    expect(backends).not.toContain(pod.ipv6);
  });

  test('packets and octets do not go backwards when a flow ends', async () => {
    const total = (name: string): number =>
      webOf(JSON.parse(node1.turnout.run('top', '--once', '--interval=100ms', '--output=json')) as TopJson)?.totals[name] ?? 0;
    await cluster.client.agent.hold('ending', { protocol: 'TCP', to: node1.ipv4, port: NODE_PORT, count: 4 });
    const [packets, octets] = [total('requestPackets'), total('requestBytes')];
    await cluster.client.agent.release('ending');
    await until('the flows have left the table', () => flows('--service=default/web:tcp').length === 0);
    expect(total('requestPackets')).toBeGreaterThan(packets); // the packets that closed them
    expect(total('requestBytes')).toBeGreaterThan(octets);
  });
});

test('services and metrics have the same counters', async () => {
  await datagram('IPv6');
  const rows = node1.turnout
    .services()
    .filter(({ name, portName, type }) => `${name} ${portName} ${type}` === 'web udp ClusterIP');
  const script = `fetch('http://127.0.0.1:10249/metrics').then(async (r) => console.log(await r.text()))`;
  const metrics = node1.namespace.run(process.execPath, '-e', script);
  for (const name of ['connections', 'packets', 'bytes', 'rejects', 'drops'] as const) {
    const sample = new RegExp(`^turnout_service_${name}_total{namespace="default",service="web",port="udp"} (\\d+)$`, 'm').exec(
      metrics,
    );
    expect(Number(sample?.[1]), name).toBe(rows.reduce((sum, row) => sum + (row[name] ?? Number.NaN), 0));
  }
});

test('all of it works without a process', async () => {
  await cluster.client.agent.hold('orphan', { protocol: 'TCP', to: node1.ipv4, port: NODE_PORT });
  await node1.turnout.stop();
  expect(flows('--state=established')).toHaveLength(1);
  expect(node1.turnout.run('top', '--once', '--interval=100ms')).toContain('default/web:tcp');
  const command = new RunningCommand(node1, 'monitor', '--new', '--count=1');
  await command.said('looks at');
  await reach(cluster.client, node1.ipv4, NODE_PORT, 'TCP', { count: 1 });
  expect(await command.end()).toBe(0);
  expect(command.lines).toHaveLength(1);
});

test('where there is no datapath, each says so', () => {
  node1.turnout.run('cleanup');
  for (const name of ['services', 'flows', 'top', 'monitor'])
    expect(() => node1.turnout.run(name)).toThrow(/exit 1: turnout: no datapath of turnout is installed/);
});
