// ICMP errors about Service traffic, with real packets: they reach who has to know, in words that it knows, and name no pod to it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import { DatagramSocket } from '../../lab/datagram-socket.ts';
import { FrameWatch, sendFrames } from '../../lab/frames.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { serviceWithSlices, TARGET_PORT } from '../../lab/service.ts';
import { until } from '../../lab/turnout.ts';
import { addressOctets } from '../datapath/packet/checksum.ts';
import { icmp, udp } from '../datapath/packet/packet.ts';
import { readIp, readPacket } from '../datapath/packet/read-packet.ts';
import { ipOctets, octetsOf } from '../datapath/packet/write-packet.ts';
import { hopTo } from './fragmented.ts';
import { mtuTo } from './mtu.ts';
import { FAMILIES, type Family, ipOf, refusal } from './traffic.ts';

const NEAR = { IPv4: '10.96.0.40', IPv6: 'fd00:10:96::40', nodePort: 30040 };
const FAR = { IPv4: '10.96.0.41', IPv6: 'fd00:10:96::41', nodePort: 30041 };
const DEAF = { IPv4: '10.96.0.42', IPv6: 'fd00:10:96::42', nodePort: 30042 }; // its endpoints listen on another port
const NARROW = 1333;

let cluster: Cluster;
let node1: ClusterNode;
let near: Pod;
let far: Pod;
let caller: Pod;
let ports = 43_000;
const servers = new Map<Family, DatagramSocket>(); // of `far`

beforeAll(async () => {
  cluster = new Cluster({ flags: ['--ebpf-socket-path=off'] });
  node1 = cluster.node(1);
  [near, far, caller] = [node1.addPod('near'), cluster.node(2).addPod('far'), node1.addPod('caller')];
  for (const { namespace } of [...cluster.nodes, near, far])
    namespace.sysctl('net.ipv4.icmp_ratelimit=0', 'net.ipv4.icmp_msgs_per_sec=10000', 'net.ipv6.icmp.ratelimit=0');
  const serve = async (family: Family) =>
    void servers.set(family, await DatagramSocket.open(far.namespace, ipOf(far, family), TARGET_PORT, 'echo'));
  await Promise.all([cluster.start(), ...FAMILIES.map(serve)]);
  const unit = (name: string, { nodePort, ...ips }: typeof NEAR, pods: Pod[], targetPort = TARGET_PORT) =>
    serviceWithSlices({ name, clusterIPs: Object.values(ips), pods, nodePort, targetPort });
  await cluster.apply('web', [
    ...unit('near', NEAR, [near]),
    ...unit('far', FAR, [far]),
    ...unit('deaf', DEAF, [near, far], 8999),
  ]);
});
afterAll(async () => {
  await Promise.all([...servers.values()].map((server) => server.close()));
  await cluster?.close();
});

const clientOf = (family: Family): string => (family === 'IPv4' ? cluster.clientIpv4 : cluster.clientIpv6);
const contains = (frame: Uint8Array, address: string): boolean =>
  Buffer.from(frame).includes(Buffer.from(addressOctets(address)));

/** ICMP errors among frames: their source, type, and what they are about. */
function errorsIn(frames: readonly Uint8Array[]) {
  return frames.flatMap((frame) => {
    const type = Buffer.from(frame).readUInt16BE(12);
    if (type !== 0x0800 && type !== 0x86dd) return [];
    const { ip, l4 } = readPacket(frame);
    const isError = l4.kind === 'icmp' && (ip.version === 4 ? [3, 11].includes(l4.type) : l4.type < 128);
    if (l4.kind !== 'icmp' || !isError) return [];
    return [{ frame, source: ip.source, type: l4.type, about: readIp(l4.payload) }];
  });
}

/** Sends one datagram for each hop limit from 1 on, until one is answered; resolves with the errors that came meanwhile. */
async function trace(from: Namespace, source: string, to: string, port: number, hops: number) {
  const sourcePort = ports++;
  const hop = await hopTo(from, to);
  const ethernet = { source: hop.sourceMac, destination: hop.destinationMac };
  const socket = await DatagramSocket.open(from, source, sourcePort);
  const watch = await FrameWatch.open(from, hop.device);
  try {
    for (let limit = 1; limit <= hops; limit++) {
      const ends = { source, destination: to, sourcePort, destinationPort: port };
      sendFrames(from, hop.device, [octetsOf(udp({ ...ends, ethernet, ip: { ttl: limit, hopLimit: limit } }))]);
      const errors = limit;
      if (limit < hops) await until(`hop ${limit} complains`, () => errorsIn(watch.received).length >= errors, 3000);
      else await until('the endpoint answers', () => socket.received.length > 0, 3000);
    }
  } finally {
    await Promise.all([watch.close(), socket.close()]);
  }
  return { sourcePort, errors: errorsIn(watch.received) };
}

describe.each(FAMILIES)('over %s', (family) => {
  test.each([
    ['a pod by the ClusterIP', () => ({ from: caller.namespace, to: DEAF[family], port: 80 })],
    ['a client by the node port', () => ({ from: cluster.client, to: ipOf(node1, family), port: DEAF.nodePort })],
  ])('an endpoint that does not listen refuses %s, TCP and UDP, and none is named', async (_, path) => {
    const { from, to, port } = path();
    const watch = await FrameWatch.open(from, 'eth0');
    const refused = [await refusal(from, to, port, 'UDP'), await refusal(from, to, port, 'TCP')];
    await watch.close();
    expect(refused).toEqual([['ECONNREFUSED'], ['ECONNREFUSED']]);
    const errors = errorsIn(watch.received);
    expect(new Set(errors.map(({ source }) => source))).toEqual(new Set([to]));
    for (const { frame } of errors) for (const pod of [near, far]) expect(contains(frame, ipOf(pod, family))).toBe(false);
  });

  test('who follows the way of a masqueraded datagram hop by hop sees the nodes, and what it asked for inside', async () => {
    const to = ipOf(node1, family);
    // node1, node2, endpoint
    const { errors, sourcePort } = await trace(cluster.client, clientOf(family), to, FAR.nodePort, 3);
    expect(errors.map(({ source }) => source)).toEqual([to, ipOf(cluster.node(2), family)]);
    for (const { about, frame } of errors) {
      expect(about).toMatchObject({
        ip: { source: clientOf(family), destination: to },
        l4: { sourcePort, destinationPort: FAR.nodePort },
      });
      expect(contains(frame, ipOf(far, family))).toBe(false);
    }
  });

  test("who follows the way of a pod's datagram sees what it asked for inside", async () => {
    const { errors, sourcePort } = await trace(caller.namespace, ipOf(caller, family), FAR[family], 80, 3);
    expect(errors).toHaveLength(2);
    for (const { about, frame } of errors) {
      expect(about).toMatchObject({
        ip: { source: ipOf(caller, family), destination: FAR[family] },
        l4: { sourcePort, destinationPort: 80 },
      });
      expect(contains(frame, ipOf(far, family))).toBe(false);
    }
  });

  test("a router's error with no more than eight octets of the datagram finds the masqueraded client", async () => {
    const to = ipOf(node1, family);
    const socket = await DatagramSocket.open(cluster.client, clientOf(family), ports++);
    socket.send(to, FAR.nodePort, 1200, 77);
    await socket.receives(1200, 77);
    const { from: source, fromPort: sourcePort } = await servers.get(family)!.receives(1200, 77);
    const destination = ipOf(far, family);
    const inner = ipOctets(udp({ source, sourcePort, destination, destinationPort: TARGET_PORT, payload: new Uint8Array(1200) }));
    const quoted = inner.slice(0, (family === 'IPv4' ? 20 : 40) + 8);
    const router = ipOf(cluster.node(2), family);
    const hop = await hopTo(cluster.node(2).namespace, source);
    const ethernet = { source: hop.sourceMac, destination: hop.destinationMac };
    const tooBig = family === 'IPv4' ? { type: 3, code: 4 } : { type: 2, code: 0 };
    const error = icmp({ source: router, destination: source, ethernet, ...tooBig, rest: NARROW, payload: quoted });
    expect(mtuTo(cluster.client, to)).toBe(1500);
    sendFrames(cluster.node(2).namespace, hop.device, [octetsOf(error)]);
    await until('the client knows the MTU', () => mtuTo(cluster.client, to) === NARROW, 3000);
    await socket.close();
  });
});
