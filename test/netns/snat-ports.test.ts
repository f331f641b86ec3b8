// Ports that masqueraded connections get: who else has one keeps it, and when none is left that is counted, until some are free again.
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { hostPort, type Outcome } from '../../lab/agent-protocol.ts';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import { forgetFlows } from '../../lab/flow-table.ts';
import { serve, serviceWithSlices, TARGET_PORT } from '../../lab/service.ts';
import { until } from '../../lab/turnout.ts';
import { counted } from './counters.ts';
import { CLUSTER_IPS, endpointOf, FAMILIES, ipOf, KINDS, NODE_PORT } from './traffic.ts';

const FIRST_PORT = 20_000;
const PORTS = 4;
const ALL_PORTS = Array.from({ length: PORTS }, (_, index) => FIRST_PORT + index);
const [LISTENING, CONNECTED, ...FREE] = ALL_PORTS;

let cluster: Cluster;
let node: ClusterNode;
let far: Pod;

beforeAll(async () => {
  const range = `--ebpf-snat-port-range=${FIRST_PORT}-${FIRST_PORT + PORTS - 1}`;
  const timeouts = ['--conntrack-udp-timeout=2s', '--conntrack-udp-timeout-stream=2s'];
  cluster = new Cluster({ flags: [range, ...timeouts, '--ebpf-flow-table-size=1024'] });
  node = cluster.node(1);
  far = cluster.node(2).addPod('far');
  await serve(far);
  await cluster.start();
  const clusterIPs = Object.values(CLUSTER_IPS);
  await cluster.apply('web', serviceWithSlices({ name: 'web', clusterIPs, pods: [far], nodePort: NODE_PORT }));
});
afterAll(() => cluster?.close());
/** Nobody knows a port from the test before. */
afterEach(() => {
  forgetFlows(node.turnout.bpffs);
  node.namespace.run('conntrack', '-F');
});

/** Of the masqueraded connections, as the backend sees them. */
const portsOf = (outcomes: readonly Outcome[]): (number | string)[] =>
  outcomes.map((one) => (one.ok ? Number(/\d+$/.exec(one.peer)![0]) : one.error)).sort();

describe.each(KINDS)('$family $protocol', ({ family, protocol }) => {
  const name = `${family} ${protocol}`;
  const toService = { protocol, to: '', port: NODE_PORT, timeoutMs: 5000, udp: 'connected' } as const;

  test('ports are given out until none is left, which is counted; an ended connection makes room', async () => {
    const { agent } = cluster.client;
    const request = { ...toService, to: ipOf(node, family) };
    const first = await agent.hold(name, { ...request, count: PORTS });
    expect(portsOf(first)).toEqual(ALL_PORTS);
    const counts = await counted(node, async () => {
      const [outcome] = await agent.connect({ ...request, timeoutMs: 700 });
      expect(outcome).toEqual({ ok: false, error: 'ETIMEDOUT' });
    });
    expect(counts['snat_exhausted'] ?? 0).toBeGreaterThan(0);
    expect(await agent.check(name)).toEqual({ held: PORTS, alive: PORTS, errors: [] });
    await agent.release(name);
    // TCP's end is seen, UDP's is a silence.
    await until('a port is free', async () => (await agent.connect({ ...request, timeoutMs: 700 }))[0]!.ok, 20_000);
    expect(await agent.hold(name, request)).toMatchObject([{ ok: true }]);
    expect(await agent.check(name)).toEqual({ held: 1, alive: 1, errors: [] });
    await agent.release(name);
  });
});

describe('beside sockets of the node', () => {
  beforeAll(async () => {
    const { agent } = node.namespace;
    await agent.listen('TCP', '::', LISTENING!);
    for (const family of FAMILIES) await agent.listen('UDP', ipOf(node, family), LISTENING!);
  });

  test.each(KINDS)('a port that one of them has is not given out: $family $protocol', async ({ family, protocol }) => {
    const name = `beside ${family} ${protocol}`;
    const service = { protocol, to: ipOf(node, family), port: NODE_PORT, timeoutMs: 5000, udp: 'connected' } as const;
    const direct = { ...service, to: ipOf(far, family), port: TARGET_PORT, fromPort: CONNECTED! };
    const { agent } = node.namespace;
    expect(portsOf(await agent.hold(name, direct))).toEqual([CONNECTED]);
    expect(portsOf(await cluster.client.agent.hold(name, { ...service, count: FREE.length }))).toEqual(FREE);
    expect(await agent.check(name)).toEqual({ held: 1, alive: 1, errors: [] });
    expect(await cluster.client.agent.check(name)).toEqual({ held: FREE.length, alive: FREE.length, errors: [] });
    const [listener] = await cluster.client.agent.connect({ ...service, port: LISTENING! });
    expect(listener?.ok && listener.endpoint).toBe(hostPort(ipOf(node, family), LISTENING!));
    for (const one of [agent, cluster.client.agent]) await one.release(name);
  });

  // Needs the egress guard (design, rule 6): the node's packet leaves after our flow took its port.
  test.each(KINDS)('one that comes later with a port that was given out is answered, too: $family $protocol', async (kind) => {
    const { family, protocol } = kind;
    const name = `later ${family} ${protocol}`;
    const service = { protocol, to: ipOf(node, family), port: NODE_PORT, timeoutMs: 5000, udp: 'connected' } as const;
    // A client's own port is taken where it is ours to give.
    expect(portsOf(await cluster.client.agent.hold(name, { ...service, fromPort: CONNECTED! }))).toEqual([CONNECTED]);
    const { agent } = node.namespace;
    const direct = { ...service, to: ipOf(far, family), port: TARGET_PORT, fromPort: CONNECTED! };
    expect(await agent.hold(name, direct)).toMatchObject([{ ok: true, endpoint: endpointOf(far, family) }]);
    for (let round = 0; round < 2; round++) {
      expect(await agent.check(name)).toEqual({ held: 1, alive: 1, errors: [] });
      expect(await cluster.client.agent.check(name)).toEqual({ held: 1, alive: 1, errors: [] });
    }
    for (const one of [agent, cluster.client.agent]) await one.release(name);
  });
});
