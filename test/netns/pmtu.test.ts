// Path MTU discovery through Services: senders are told of a narrow hop, wherever it lies, by errors that name what they asked for.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { bulk } from '../../lab/bulk.ts';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import { DatagramSocket } from '../../lab/datagram-socket.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { cable } from '../../lab/pod-network.ts';
import { serve, serviceWithSlices } from '../../lab/service.ts';
import { mtuTo } from './mtu.ts';
import { FAMILIES, type Family, ipOf } from './traffic.ts';

const NARROW = 1300;
const TUNNEL = 1450;
const BULK = 150_000; // octets
const DATAGRAM = 1420; // octets: with its headers between the narrow hop's MTU and the devices'
const UDP_PORT = 9090; // of endpoints that echo whole datagrams
const NEAR = { IPv4: '10.96.0.30', IPv6: 'fd00:10:96::30', nodePort: 30030 };
const FAR = { IPv4: '10.96.0.31', IPv6: 'fd00:10:96::31', nodePort: 30031 };
const LOCAL = { IPv4: '10.96.0.32', IPv6: 'fd00:10:96::32', nodePort: 30032 };
const REMOTE = { IPv4: '198.51.100.2', IPv6: 'fd51::2' };

let ports = 42_000;
const servers: DatagramSocket[] = [];

/** Services of one endpoint each; UDP goes to a server that echoes whole datagrams. */
async function program(cluster: Cluster, near: Pod, far: Pod): Promise<void> {
  const unit = (name: string, { nodePort, ...ips }: typeof NEAR, pod: Pod, spec: Record<string, unknown> = {}) => {
    const objects = serviceWithSlices({ name, clusterIPs: Object.values(ips), pods: [pod], nodePort, spec });
    const retarget = (port: { protocol: string }, field: object) => (port.protocol === 'UDP' ? { ...port, ...field } : port);
    return objects.map((object) => {
      if (object.kind === 'Service') {
        const { ports: of, ...rest } = object['spec'] as { ports: { protocol: string }[] };
        return { ...object, spec: { ...rest, ports: of.map((port) => retarget(port, { targetPort: UDP_PORT })) } };
      }
      return { ...object, ports: (object['ports'] as { protocol: string }[]).map((port) => retarget(port, { port: UDP_PORT })) };
    });
  };
  await cluster.apply('web', [
    ...unit('near', NEAR, near),
    ...unit('far', FAR, far),
    ...unit('local', LOCAL, near, { externalTrafficPolicy: 'Local' }),
  ]);
}

async function startServers(...pods: Pod[]): Promise<void> {
  const open = async (pod: Pod, family: Family) =>
    void servers.push(await DatagramSocket.open(pod.namespace, ipOf(pod, family), UDP_PORT, 'echo'));
  await Promise.all(pods.flatMap((pod) => [serve(pod), ...FAMILIES.map((family) => open(pod, family))]));
}

const forget = (...namespaces: Namespace[]): void => {
  for (const namespace of namespaces) namespace.ip('-4 route flush cache', '-6 route flush cache');
};

async function expectBulk(from: Namespace, to: string, port: number): Promise<void> {
  expect(await bulk(from, to, port, BULK)).toEqual({ received: BULK, error: '' });
}

/** The first datagrams may be lost, each time somebody on the way learns. */
async function expectDatagram(from: Namespace, source: string, to: string, port: number, octets = DATAGRAM): Promise<void> {
  const socket = await DatagramSocket.open(from, source, ports++);
  try {
    let reply = null;
    for (let seed = 1; seed <= 4 && !reply; seed++) {
      socket.send(to, port, octets, seed);
      reply = await socket.receives(octets, seed, seed < 4 ? 300 : 3000).catch(() => null);
    }
    expect(reply).toMatchObject({ from: to, fromPort: port });
  } finally {
    await socket.close();
  }
}

afterAll(() => Promise.all(servers.splice(0).map((server) => server.close())));

describe('with a narrow hop between a remote client and the node, and a tunnel between the nodes', () => {
  let cluster: Cluster;
  let node1: ClusterNode;
  let near: Pod;
  let far: Pod;
  let remote: Namespace;

  //   remote --1500-- router1 --1300-- router2 --1500-- fabric
  beforeAll(async () => {
    cluster = new Cluster({ between: 'vxlan', flags: ['--ebpf-socket-path=off'] });
    node1 = cluster.node(1);
    [near, far] = [node1.addPod('near'), cluster.node(2).addPod('far')];
    remote = cluster.lab.namespace('remote');
    const router1 = cluster.lab.namespace('router1');
    const router2 = cluster.addMachine('router2', '192.168.50.200', 'fd50::200');
    cable(remote, 'eth0', router1, 'in');
    cable(router1, 'out', router2, 'in', NARROW);
    for (const router of [router1, router2]) router.sysctl('net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
    remote.ip(`addr add ${REMOTE.IPv4}/24 dev eth0`, `addr add ${REMOTE.IPv6}/64 dev eth0`);
    router1.ip('addr add 198.51.100.1/24 dev in', 'addr add fd51::1/64 dev in');
    router1.ip('addr add 203.0.113.1/30 dev out', 'addr add fd52::1/64 dev out');
    router2.ip('addr add 203.0.113.2/30 dev in', 'addr add fd52::2/64 dev in');
    remote.ip('route add default via 198.51.100.1', 'route add default via fd51::1');
    router1.ip('route add 192.168.50.0/24 via 203.0.113.2', 'route add fd50::/64 via fd52::2');
    router2.ip('route add 198.51.100.0/24 via 203.0.113.1', 'route add fd51::/64 via fd52::1');
    for (const { namespace } of cluster.nodes)
      namespace.ip('route add 198.51.100.0/24 via 192.168.50.200', 'route add fd51::/64 via fd50::200');
    await Promise.all([cluster.start(), startServers(near, far)]);
    await program(cluster, near, far);
  });
  afterAll(() => cluster?.close());
  beforeEach(() => forget(remote, near.namespace, far.namespace));

  describe.each(FAMILIES)('over %s', (family) => {
    const sender = () => ({ to: ipOf(node1, family), client: REMOTE[family], node: ipOf(node1, family) });

    test.each([
      ['masqueraded, the endpoint here', NEAR.nodePort, () => near],
      ['masqueraded, the endpoint elsewhere', FAR.nodePort, () => far],
      ['not masqueraded', LOCAL.nodePort, () => near],
    ])('the hop is told to the endpoint about its replies: %s', async (title, port, pod) => {
      const { to, client } = sender();
      await expectBulk(remote, to, port);
      expect(mtuTo(remote, to)).toBe(NARROW);
      forget(remote, pod().namespace);
      await expectDatagram(remote, client, to, port);
      // Whom the endpoint sees: the client, or what this node masquerades with.
      const peers = title === 'not masqueraded' ? [client] : sourcesOf(node1.namespace, family);
      expect(peers.map((peer) => mtuTo(pod().namespace, peer))).toContain(NARROW);
    });
  });

  test.each(FAMILIES)('a tunnel between the nodes is told by this node itself to a client over %s', async (family) => {
    const to = ipOf(node1, family);
    await expectBulk(cluster.client, to, FAR.nodePort);
    const source = family === 'IPv4' ? cluster.clientIpv4 : cluster.clientIpv6;
    await expectDatagram(cluster.client, source, to, FAR.nodePort);
    forget(cluster.client);
    const large = await DatagramSocket.open(cluster.client, source, ports++);
    try {
      for (let seed = 1; mtuTo(cluster.client, to) !== TUNNEL && seed < 50; seed++) {
        large.send(to, FAR.nodePort, 1440, seed);
        await large.receives(1440, seed, 200).catch(() => null);
      }
    } finally {
      await large.close();
    }
    expect(mtuTo(cluster.client, to)).toBe(TUNNEL);
  });
});

/** The addresses that a node may masquerade with. */
function sourcesOf(namespace: Namespace, family: Family): string[] {
  const devices = JSON.parse(namespace.run('ip', '-j', 'addr', 'show', 'scope', 'global')) as {
    addr_info: { local: string; family: string }[];
  }[];
  const wanted = family === 'IPv4' ? 'inet' : 'inet6';
  return devices.flatMap(({ addr_info }) => addr_info.flatMap((one) => (one.family === wanted ? [one.local] : [])));
}

describe('with a narrow hop between node and endpoint, it', () => {
  let cluster: Cluster;
  let node1: ClusterNode;
  let caller: Pod;
  let far: Pod;

  //   node1 --1500-- fabric --1500-- hop --1300-- node2
  beforeAll(async () => {
    cluster = new Cluster({ flags: ['--ebpf-socket-path=off'] });
    node1 = cluster.node(1);
    const node2 = cluster.node(2);
    [caller, far] = [node1.addPod('caller'), node2.addPod('far')];
    const hop = cluster.addMachine('hop', '192.168.50.201', 'fd50::201');
    hop.sysctl('net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1');
    cable(hop, 'out', node2.namespace, 'narrow', NARROW);
    hop.ip('addr add 203.0.113.5/30 dev out', 'addr add fd53::1/64 dev out');
    node2.namespace.ip('addr add 203.0.113.6/30 dev narrow', 'addr add fd53::2/64 dev narrow');
    const [pods1, pods2] = [node1.podCIDRs, node2.podCIDRs];
    node1.namespace.ip(`route replace ${pods2[0]} via 192.168.50.201`, `route replace ${pods2[1]} via fd50::201`);
    hop.ip(`route add ${pods2[0]} via 203.0.113.6`, `route add ${pods2[1]} via fd53::2`);
    hop.ip(`route add ${pods1[0]} via ${node1.ipv4}`, `route add ${pods1[1]} via ${node1.ipv6}`);
    for (const [v4, v6] of [pods1, [`${node1.ipv4}/32`, `${node1.ipv6}/128`]])
      node2.namespace.ip(`route replace ${v4} via 203.0.113.5`, `route replace ${v6} via fd53::1`);
    await Promise.all([cluster.start(), startServers(far)]);
    await program(cluster, far, far);
  });
  afterAll(() => cluster?.close());
  beforeEach(() => forget(cluster.client, caller.namespace, far.namespace));

  describe.each(FAMILIES)('over %s', (family) => {
    test('is told to a pod by the ClusterIP that it asked for', async () => {
      await expectBulk(caller.namespace, FAR[family], 80);
      expect(mtuTo(caller.namespace, FAR[family])).toBe(NARROW);
      forget(caller.namespace, far.namespace);
      await expectDatagram(caller.namespace, ipOf(caller, family), FAR[family], 80);
      expect(mtuTo(caller.namespace, FAR[family])).toBe(NARROW);
    });

    // In IPv6 the error is about a fragment, whose header stands before the ports.
    test('is told to a pod about a datagram that is in fragments already', async () => {
      await expectDatagram(caller.namespace, ipOf(caller, family), FAR[family], 80, 4000);
    });

    test('is told to a masqueraded client by the node port that it asked for', async () => {
      const to = ipOf(node1, family);
      await expectBulk(cluster.client, to, FAR.nodePort);
      expect(mtuTo(cluster.client, to)).toBe(NARROW);
      forget(cluster.client, far.namespace);
      const source = family === 'IPv4' ? cluster.clientIpv4 : cluster.clientIpv6;
      await expectDatagram(cluster.client, source, to, FAR.nodePort);
      expect(mtuTo(cluster.client, to)).toBe(NARROW);
    });
  });
});
