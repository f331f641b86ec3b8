// One node, two pods and an external client on this kernel, with turnout started from what a release ships. Few connections and
// no timing: the guest is slow. What each path must do in full is asked by test/netns on the host.
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { serve, serviceWithSlices } from '../../lab/service.ts';
import { SOCKET_PROGRAMS } from '../../src/backend/ebpf/hooks.ts';
import type { StatusReport } from '../../src/cli/status-table.ts';
import { CLUSTER_IPS, endpointOf, ipOf, KINDS, NODE_PORT, reach } from '../netns/traffic.ts';
import { copyRelease } from './release.ts';

const COUNT = 4;
const TIMEOUT_MS = 20_000;

const { folder, binary } = copyRelease();
let cluster: Cluster;
let node: ClusterNode;
let web: Pod;
let caller: Pod;

beforeAll(async () => {
  cluster = new Cluster({ nodes: 1, binary });
  node = cluster.node(1);
  web = node.addPod('web');
  caller = node.addPod('caller');
  await serve(web);
  node.turnout.write(
    'web',
    serviceWithSlices({ name: 'web', clusterIPs: Object.values(CLUSTER_IPS), pods: [web], nodePort: NODE_PORT }),
  );
  await cluster.start();
});
afterAll(async () => {
  await cluster?.close();
  rmSync(folder, { recursive: true, force: true });
});

const status = (): StatusReport => JSON.parse(node.turnout.run('status', '--output=json')) as StatusReport;

/** A few connections; each must reach the pod. */
async function expectReached(from: Namespace, to: string, port: number, kind: (typeof KINDS)[number]): Promise<void> {
  const seen = await reach(from, to, port, kind.protocol, { count: COUNT, timeoutMs: TIMEOUT_MS });
  expect([...seen.keys()]).toEqual([endpointOf(web, kind.family)]);
}

describe.each(KINDS)('$protocol over $family', (kind) => {
  test('a pod reaches a ClusterIP', () => expectReached(caller.namespace, CLUSTER_IPS[kind.family], 80, kind));
  test('the host reaches a ClusterIP', () => expectReached(node.namespace, CLUSTER_IPS[kind.family], 80, kind));
  test('a client outside reaches a node port', () => expectReached(cluster.client, ipOf(node, kind.family), NODE_PORT, kind));
});

describe('the life of the process', () => {
  test('status names each device with how it is hooked, and the cgroup', () => {
    const { hooks } = status();
    for (const { place, attach, programs } of hooks) console.log(`    ${attach} at ${place}: ${programs.join(' ')}`);
    const devices = hooks.filter(({ attach }) => attach !== 'cgroup');
    expect(devices.map(({ place }) => place)).toEqual(expect.arrayContaining(['eth0', 'p-web', 'p-caller']));
    for (const { programs } of devices) expect(programs.toSorted()).toEqual(['egress', 'ingress']);
    expect(hooks.find(({ attach }) => attach === 'cgroup')?.programs).toHaveLength(SOCKET_PROGRAMS.length);
  });

  test('open connections outlive a restart, and new ones work without a process and after it', async () => {
    const { agent } = cluster.client;
    const opened = await Promise.all([
      ...KINDS.map(({ family, protocol }) =>
        agent.hold('all', { protocol, to: ipOf(node, family), port: NODE_PORT, timeoutMs: TIMEOUT_MS }),
      ),
      caller.namespace.agent.hold('all', { protocol: 'TCP', to: CLUSTER_IPS.IPv4, port: 80, timeoutMs: TIMEOUT_MS }),
    ]);
    expect(opened.flat().filter(({ ok }) => !ok)).toEqual([]);
    const expectAlive = async (): Promise<void> => {
      expect(await agent.check('all', TIMEOUT_MS)).toEqual({ held: 4, alive: 4, errors: [] });
      expect(await caller.namespace.agent.check('all', TIMEOUT_MS)).toEqual({ held: 1, alive: 1, errors: [] });
    };
    expect(await node.turnout.stop()).toBe(0);
    await expectAlive();
    await expectReached(cluster.client, node.ipv4, NODE_PORT, { family: 'IPv4', protocol: 'TCP' });
    await node.turnout.start();
    await expectAlive();
    await expectReached(cluster.client, node.ipv6, NODE_PORT, { family: 'IPv6', protocol: 'UDP' });
  });

  test('cleanup removes every hook', async () => {
    await node.turnout.stop();
    node.turnout.run('cleanup');
    expect(status().hooks).toEqual([]);
    expect(node.namespace.run('tc', 'filter', 'show', 'dev', 'eth0', 'ingress')).toBe('');
  });
});
