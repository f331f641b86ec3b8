// Devices of the node come, go and change while connections run over others: rows and links follow, and nothing is left of those that
// are gone.
import { readdirSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { withPinnedMap } from '../../lab/pinned-map.ts';
import { macOf } from '../../lab/pod-network.ts';
import { serve, serviceWithSlices } from '../../lab/service.ts';
import { until } from '../../lab/turnout.ts';
import { CLUSTER_IPS, endpointOf, ipOf, KINDS, NODE_PORT, reach } from './traffic.ts';

const SPARE_IPS = { IPv4: '10.96.0.20', IPv6: 'fd00:10:96::20' } as const;
const INDEX = 700; // of a device that another one takes
const EXCLUDED = 'other-*';

describe('devices of a node', () => {
  let cluster: Cluster;
  let node: ClusterNode;
  let caller: Pod; // of the connections that nothing may disturb
  let spare: Pod; // whose device is moved, renamed and changed
  let elsewhere: Namespace;

  beforeAll(async () => {
    cluster = new Cluster({ nodes: 1, flags: ['--ebpf-socket-path=off', `--ebpf-devices-exclude=${EXCLUDED}`] });
    node = cluster.node(1);
    const near = node.addPod('near');
    [caller, spare] = [node.addPod('caller'), node.addPod('spare')];
    elsewhere = cluster.lab.namespace('elsewhere');
    await Promise.all([serve(near), serve(spare)]);
    await cluster.start();
    await cluster.apply('services', [
      ...serviceWithSlices({ name: 'web', clusterIPs: Object.values(CLUSTER_IPS), pods: [near], nodePort: NODE_PORT }),
      ...serviceWithSlices({ name: 'spare', clusterIPs: Object.values(SPARE_IPS), pods: [spare] }),
    ]);
  });
  afterAll(() => cluster?.close());

  beforeEach(async () => {
    for (const { family, protocol } of KINDS) {
      await caller.namespace.agent.hold('all', { protocol, to: CLUSTER_IPS[family], port: 80 });
      await cluster.client.agent.hold('all', { protocol, to: ipOf(node, family), port: NODE_PORT });
    }
  });
  afterEach(async () => {
    for (const { agent } of [caller.namespace, cluster.client]) {
      expect(await agent.check('all')).toEqual({ held: KINDS.length, alive: KINDS.length, errors: [] });
      await agent.release('all');
    }
    await until('rows and links are those of the devices', () => areInStep(node), 10_000);
  });

  const reachSpare = async (): Promise<void> => {
    for (const { family, protocol } of KINDS) {
      const seen = await reach(caller.namespace, SPARE_IPS[family], 80, protocol, { count: 4 });
      expect([...seen.keys()]).toEqual([endpointOf(spare, family)]);
      await reach(spare.namespace, CLUSTER_IPS[family], 80, protocol, { count: 4 });
    }
  };
  const plugIn = (device: string): void =>
    node.namespace.ip(
      `link set ${device} up`,
      `route replace ${spare.ipv4}/32 dev ${device}`,
      `-6 route replace ${spare.ipv6}/128 dev ${device}`,
    );

  test('come and go by the dozen', async () => {
    for (let round = 0; round < 3; round++) {
      for (let one = 0; one < 12; one++) node.namespace.ip(`link add many${one} type veth peer name peer${one}`);
      expect(await caller.namespace.agent.check('all')).toMatchObject({ alive: KINDS.length });
      for (let one = 0; one < 12; one++) node.namespace.ip(`link del many${one}`);
    }
  });

  test('are renamed while in use, and are left alone under a name that is excluded', async () => {
    const { namespace } = node;
    await spare.namespace.agent.hold('renamed', { protocol: 'TCP', to: CLUSTER_IPS.IPv4, port: 80 });
    namespace.ip('link set p-spare name renamed');
    expect(await spare.namespace.agent.check('renamed')).toEqual({ held: 1, alive: 1, errors: [] });
    await reachSpare();
    namespace.ip('link set renamed name other-spare');
    await until('it is not hooked', () => areInStep(node), 10_000);
    const [outcome] = await spare.namespace.agent.connect({ protocol: 'TCP', to: CLUSTER_IPS.IPv4, port: 80, timeoutMs: 300 });
    expect(outcome).toEqual({ ok: false, error: expect.any(String) });
    namespace.ip('link set other-spare name p-spare');
    await until('it is hooked again', () => areInStep(node), 10_000);
    await reachSpare();
    await spare.namespace.agent.release('renamed');
  });

  test('get another MTU while in use', async () => {
    for (const mtu of [1280, 9000, 1500]) {
      for (const [namespace, device] of [
        [node.namespace, 'p-spare'],
        [spare.namespace, 'eth0'],
      ] as const)
        namespace.ip(`link set ${device} mtu ${mtu}`);
      await reachSpare();
    }
  });

  test('are moved into another namespace and back', async () => {
    node.namespace.ip(`link set p-spare netns ${elsewhere.netns}`);
    await until('it is not hooked', () => areInStep(node), 10_000);
    elsewhere.ip(`link set p-spare netns ${node.namespace.netns}`);
    plugIn('p-spare');
    await until('it is hooked again', () => areInStep(node), 10_000);
    await reachSpare();
  });

  // A link follows its device into the other namespace, and still names the number that is another device's here.
  test.each([
    { turnout: 'is busy with something else, so that it hears of both at once', isDown: false },
    { turnout: 'does not run', isDown: true },
  ])('are moved into another namespace, and another device takes their number, while turnout $turnout', async ({ isDown }) => {
    const { namespace, turnout } = node;
    namespace.ip(`link add moved index ${INDEX} type veth peer name moved-peer`);
    await until('it is hooked', () => areInStep(node), 10_000);
    if (devicesOf(node).some(({ ifname }) => ifname === 'p-spare')) namespace.ip('link del p-spare');
    const pid = turnout.instancePid;
    if (isDown) await turnout.stop();
    else process.kill(pid, 'SIGSTOP');
    namespace.ip(`link set moved netns ${elsewhere.netns}`, `link add taker index ${INDEX} type veth peer name taker-peer`);
    if (isDown) await turnout.start();
    else process.kill(pid, 'SIGCONT');
    namespace.ip(`link set taker-peer netns ${spare.namespace.netns}`);
    const mac = macOf(namespace, 'taker');
    spare.namespace.ip(
      ...['link set taker-peer name eth0', 'link set eth0 up'],
      ...[`addr add ${spare.ipv4}/32 dev eth0`, `addr add ${spare.ipv6}/128 dev eth0`],
      ...[`neigh replace 169.254.1.1 lladdr ${mac} dev eth0`, `neigh replace fe80::1 lladdr ${mac} dev eth0`],
      ...['route add default via 169.254.1.1 dev eth0 onlink', '-6 route add default via fe80::1 dev eth0 onlink'],
    );
    plugIn('taker');
    await until('the one that took its number is hooked', () => areInStep(node), 10_000);
    await reachSpare();
    namespace.ip('link del taker');
    elsewhere.ip('link del moved');
  });
});

interface Link {
  readonly ifindex: number;
  readonly ifname: string;
}
const devicesOf = ({ namespace }: ClusterNode): Link[] => JSON.parse(namespace.run('ip', '-j', 'link', 'show')) as Link[];

/** Each device but loopback and those that are excluded has a row and two links, and there are no others. */
function areInStep(node: ClusterNode): boolean {
  const wanted = devicesOf(node)
    .filter(({ ifname }) => ifname !== 'lo' && !ifname.startsWith('other-'))
    .map(({ ifindex }) => ifindex);
  const rows = withPinnedMap(node.turnout.bpffs, 'devices', (map) => map.keys().map((key) => Buffer.from(key).readUInt32LE()));
  const pins = readdirSync(node.turnout.bpffs, { recursive: true }).map(String);
  const links = (direction: string): number[] =>
    pins.flatMap((pin) => Number(new RegExp(`tc_(\\d+)_${direction}$`).exec(pin)?.[1] ?? 0) || []);
  const text = (indexes: number[]): string => indexes.sort((a, b) => a - b).join();
  return [rows, links('ingress'), links('egress')].every((indexes) => text(indexes) === text(wanted));
}
