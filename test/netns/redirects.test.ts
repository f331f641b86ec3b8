// A node with one arm: client, node and endpoint on one Ethernet. What it forwards leaves where it came in, so the kernel would tell
// the ends to talk to each other; about Services it must not, since the client would then route the Service's address to one endpoint.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, type ClusterNode } from '../../lab/cluster.ts';
import { DatagramSocket } from '../../lab/datagram-socket.ts';
import { FrameWatch } from '../../lab/frames.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { serviceWithSlices, TARGET_PORT } from '../../lab/service.ts';
import { until } from '../../lab/turnout.ts';
import { readPacket } from '../datapath/packet/read-packet.ts';
import { FAMILIES, type Family, ipOf } from './traffic.ts';

const ENDPOINT = { IPv4: '192.168.50.60', IPv6: 'fd50::60' };
const SERVICE = { IPv4: '10.96.0.50', IPv6: 'fd00:10:96::50', nodePort: 30050 };
const LOCAL = { IPv4: '10.96.0.51', IPv6: 'fd00:10:96::51', nodePort: 30051 }; // not masqueraded
const SENDS = 8; // datagrams: the kernel redirects the first, and then more and more rarely

let cluster: Cluster;
let node1: ClusterNode;
let endpoint: Namespace;
let ports = 44_000;
const servers: DatagramSocket[] = [];

beforeAll(async () => {
  cluster = new Cluster({ nodes: 1, flags: ['--ebpf-socket-path=off'], rpFilter: 0 });
  node1 = cluster.node(1);
  endpoint = cluster.addMachine('endpoint', ENDPOINT.IPv4, ENDPOINT.IPv6);
  node1.namespace.sysctl('net.ipv4.conf.all.send_redirects=1', 'net.ipv4.conf.eth0.send_redirects=1');
  node1.namespace.sysctl('net.ipv4.icmp_ratelimit=0', 'net.ipv6.icmp.ratelimit=0');
  // They must not believe what is sent on purpose below: each case begins alike.
  for (const { sysctl } of [cluster.client, endpoint].map((one) => ({ sysctl: one.sysctl.bind(one) })))
    sysctl(
      'net.ipv4.conf.all.accept_redirects=0',
      'net.ipv4.conf.eth0.accept_redirects=0',
      'net.ipv6.conf.eth0.accept_redirects=0',
    );
  for (const family of FAMILIES) {
    servers.push(await DatagramSocket.open(endpoint, ENDPOINT[family], TARGET_PORT, 'echo'));
  }
  // What is not masqueraded comes back by the node only if the endpoint is told to.
  endpoint.ip(`route add ${cluster.clientIpv4}/32 via ${node1.ipv4}`, `route add ${cluster.clientIpv6}/128 via ${node1.ipv6}`);
  await cluster.start();
  const pod = { name: 'endpoint', nodeName: 'node1', namespace: endpoint, ipv4: ENDPOINT.IPv4, ipv6: ENDPOINT.IPv6 };
  const unit = (name: string, { nodePort, ...ips }: typeof SERVICE, spec = {}) =>
    serviceWithSlices({ name, clusterIPs: Object.values(ips), pods: [pod], nodePort, spec });
  await cluster.apply('web', [...unit('web', SERVICE), ...unit('local', LOCAL, { externalTrafficPolicy: 'Local' })]);
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.close()));
  await cluster?.close();
});

/** How many of these frames are ICMP redirects. */
function redirectsIn(frames: readonly Uint8Array[]): number {
  return frames.filter((frame) => {
    const type = Buffer.from(frame).readUInt16BE(12);
    if (type !== 0x0800 && type !== 0x86dd) return false;
    const { ip, l4 } = readPacket(frame);
    return l4.kind === 'icmp' && l4.type === (ip.version === 4 ? 5 : 137);
  }).length;
}

/** Sends datagrams that are all answered; resolves with the redirects that client and endpoint were sent meanwhile. */
async function redirects(family: Family, to: string, port: number): Promise<{ toClient: number; toEndpoint: number }> {
  const source = family === 'IPv4' ? cluster.clientIpv4 : cluster.clientIpv6;
  const [toClient, toEndpoint] = [await FrameWatch.open(cluster.client, 'eth0'), await FrameWatch.open(endpoint, 'eth0')];
  const socket = await DatagramSocket.open(cluster.client, source, ports++);
  for (let seed = 1; seed <= SENDS; seed++) {
    socket.send(to, port, 100 + seed, seed);
    await socket.receives(100 + seed, seed);
  }
  await Promise.all([socket.close(), toClient.close(), toEndpoint.close()]);
  return { toClient: redirectsIn(toClient.received), toEndpoint: redirectsIn(toEndpoint.received) };
}

const dropped = (): number => {
  const { drops } = JSON.parse(node1.turnout.run('status', '--output=json')) as { drops: Record<string, number> };
  return drops['icmp_redirect'] ?? 0;
};

describe.each(FAMILIES)('over %s', (family) => {
  test('other traffic is redirected, to whom the node tells it', async () => {
    // The client takes the node for its way to the endpoint.
    cluster.client.ip(`route add ${ENDPOINT[family]} via ${ipOf(node1, family)}`);
    try {
      const { toClient, toEndpoint } = await redirects(family, ENDPOINT[family], TARGET_PORT);
      expect(toClient).toBeGreaterThan(0);
      expect(toEndpoint).toBeGreaterThan(0); // its replies go by the node too
    } finally {
      cluster.client.ip(`route del ${ENDPOINT[family]} via ${ipOf(node1, family)}`);
    }
  });

  test.each([
    ['masqueraded', SERVICE.nodePort],
    ['not masqueraded', LOCAL.nodePort],
  ])('no redirect about a Service reaches client or endpoint: %s', async (_, port) => {
    const before = dropped();
    // Not because the kernel has none to send: it has one a second for each peer, and the tests before may have used them up.
    await until('the kernel has a redirect to send', async () => {
      expect(await redirects(family, ipOf(node1, family), port)).toEqual({ toClient: 0, toEndpoint: 0 });
      return dropped() > before;
    });
  });
});
