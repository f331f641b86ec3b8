// Datagrams in fragments, in any order, with real packets: what leaves the sender reaches the endpoint, and the reply the sender.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import { DatagramSocket } from '../../lab/datagram-socket.ts';
import { sendFrames } from '../../lab/frames.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { serviceWithSlices, TARGET_PORT } from '../../lab/service.ts';
import { fragmentsOf, hopTo } from './fragmented.ts';
import { FAMILIES, type Family, ipOf } from './traffic.ts';

const OCTETS = 4000; // three fragments
const NEAR = { IPv4: '10.96.0.20', IPv6: 'fd00:10:96::20', nodePort: 30020 };
const FAR = { IPv4: '10.96.0.21', IPv6: 'fd00:10:96::21', nodePort: 30021 };

const PATHS = [
  'from a client to a node port with its endpoint here',
  'from a client to a node port with its endpoint elsewhere',
  'from a pod to a ClusterIP with its endpoint here',
  'from a pod to a ClusterIP with its endpoint elsewhere',
] as const;
type PathName = (typeof PATHS)[number];

// The tunnel's devices have 50 octets less than the client's: what comes in large fragments leaves in more of them.
const ENVIRONMENTS = [
  { title: 'pods on ptp, tunnels between nodes', pods: 'ptp', between: 'vxlan', paths: PATHS },
  { title: 'pods on a bridge, routes between nodes', pods: 'bridge', between: 'routes', paths: PATHS.slice(1, 3) },
] as const;

/** Which fragment is sent when, and how many microseconds before it pass. */
const ORDERS: readonly { title: string; order: readonly number[]; gapsUs?: readonly number[] }[] = [
  { title: 'backwards', order: [2, 1, 0] },
  { title: 'in order', order: [0, 1, 2] },
  { title: 'the last first', order: [2, 0, 1] },
  { title: 'backwards, 10 us between', order: [2, 1, 0], gapsUs: [0, 10, 10] },
  { title: 'backwards, 100 us between', order: [2, 1, 0], gapsUs: [0, 100, 100] },
  { title: 'backwards, 20 ms between', order: [2, 1, 0], gapsUs: [0, 20_000, 20_000] },
  { title: 'the middle twice, then the first, then the rest', order: [1, 1, 0, 2] },
];

let ids = 0x1000;
let seeds = 1;
let ports = 41_000;

describe.each(ENVIRONMENTS)('$title', ({ pods, between, paths: names }) => {
  let cluster: Cluster;
  let node1: ClusterNode;
  let near: Pod;
  let far: Pod;
  let caller: Pod;
  const servers = new Map<string, DatagramSocket>(); // by pod and family

  beforeAll(async () => {
    cluster = new Cluster({ pods, between, flags: ['--ebpf-socket-path=off'] });
    node1 = cluster.node(1);
    [near, far, caller] = [node1.addPod('near'), cluster.node(2).addPod('far'), node1.addPod('caller')];
    const serve = async (pod: Pod, family: Family): Promise<void> => {
      const server = await DatagramSocket.open(pod.namespace, ipOf(pod, family), TARGET_PORT, 'echo');
      servers.set(`${pod.name} ${family}`, server);
    };
    await Promise.all([cluster.start(), ...[near, far].flatMap((pod) => FAMILIES.map((family) => serve(pod, family)))]);
    const unit = (name: string, { nodePort, ...ips }: typeof NEAR, pod: Pod) =>
      serviceWithSlices({ name, clusterIPs: Object.values(ips), pods: [pod], nodePort });
    await cluster.apply('web', [...unit('near', NEAR, near), ...unit('far', FAR, far)]);
  });
  afterAll(async () => {
    await Promise.all([...servers.values()].map((server) => server.close()));
    await cluster?.close();
  });

  interface Path {
    readonly from: Namespace;
    readonly source: string;
    readonly to: string;
    readonly port: number;
  }
  const paths = (family: Family): Record<PathName, Path> => {
    const client = { from: cluster.client, source: family === 'IPv4' ? cluster.clientIpv4 : cluster.clientIpv6 };
    const pod = { from: caller.namespace, source: ipOf(caller, family) };
    return {
      'from a client to a node port with its endpoint here': { ...client, to: ipOf(node1, family), port: NEAR.nodePort },
      'from a client to a node port with its endpoint elsewhere': { ...client, to: ipOf(node1, family), port: FAR.nodePort },
      'from a pod to a ClusterIP with its endpoint here': { ...pod, to: NEAR[family], port: 80 },
      'from a pod to a ClusterIP with its endpoint elsewhere': { ...pod, to: FAR[family], port: 80 },
    };
  };

  describe.each(FAMILIES.flatMap((family) => names.map((name) => [family, name] as const)))('%s %s', (family, name) => {
    const sourcePort = ports++; // one flow for each
    let path: Path;
    let socket: DatagramSocket;
    beforeAll(async () => {
      path = paths(family)[name];
      socket = await DatagramSocket.open(path.from, path.source, sourcePort);
    });
    afterAll(() => socket?.close());

    test('fragments arrive in whatever order they are sent, those that begin the flow too', async () => {
      const { from, source, to, port } = path;
      const hop = await hopTo(from, to);
      const outcomes = [];
      for (const { title, order, gapsUs } of ORDERS) {
        const seed = seeds++;
        const ends = { source, sourcePort, destination: to, destinationPort: port };
        const fragments = fragmentsOf({ ...ends, octets: OCTETS, seed }, ids++, hop);
        const chosen = order.map((i) => fragments[i]!);
        sendFrames(from, hop.device, chosen, gapsUs);
        const reply = socket.receives(OCTETS, seed, 1000).then((one) => `reply of ${one.from} port ${one.fromPort}`);
        outcomes.push(`${title}: ${await reply.catch(String)}`);
      }
      expect(outcomes).toEqual(ORDERS.map(({ title }) => `${title}: reply of ${to} port ${port}`));
    });

    // In IPv6 nobody but the sender makes fragments smaller: the first is lost where the way is narrower, and its sender told.
    test('a large datagram of a socket arrives and its reply, at the second try where the sender must learn the MTU', async () => {
      const tries = family === 'IPv6' && between === 'vxlan' ? 2 : 1;
      const replies = [];
      for (let i = 0; i < tries && replies.length === 0; i++) {
        const seed = seeds++;
        socket.send(path.to, path.port, OCTETS, seed);
        const reply = await socket.receives(OCTETS, seed, i + 1 < tries ? 500 : 3000).catch(() => null);
        if (reply) replies.push(reply);
      }
      expect(replies).toMatchObject([{ from: path.to, fromPort: path.port }]);
      expect(socket.errors).toEqual([]);
    });

    test("fragments of an endpoint's reply arrive that are sent backwards", async () => {
      const pod = name.endsWith('elsewhere') ? far : near;
      const opening = seeds++;
      socket.send(path.to, path.port, 100, opening);
      await socket.receives(100, opening);
      const { from: destination, fromPort } = await servers.get(`${pod.name} ${family}`)!.receives(100, opening);
      const seed = seeds++;
      const hop = await hopTo(pod.namespace, destination);
      const ends = { source: ipOf(pod, family), sourcePort: TARGET_PORT, destination, destinationPort: fromPort };
      sendFrames(pod.namespace, hop.device, fragmentsOf({ ...ends, octets: OCTETS, seed }, ids++, hop).reverse());
      expect(await socket.receives(OCTETS, seed)).toMatchObject({ from: path.to, fromPort: path.port });
    });
  });
});
