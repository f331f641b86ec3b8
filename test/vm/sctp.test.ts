// Associations of real SCTP sockets, which the development machine's kernel does not have. Once as veth pairs carry them, where
// nobody ever computes a CRC, and once with a CRC in each packet, which the other end and netfilter check.
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import type { Namespace } from '../../lab/namespace.ts';
import { TARGET_PORT } from '../../lab/service.ts';
import type { Manifest } from '../../lab/turnout.ts';
import type { StatusReport } from '../../src/cli/status-table.ts';
import { addressesOf, CLUSTER_IPS, endpointOf, FAMILIES, type Family, ipOf, NODE_PORT } from '../netns/traffic.ts';
import { copyRelease } from './release.ts';

const ECHO = join(import.meta.dirname, '../../build/lab/sctp-echo');
const PORT = 80;
const EXTERNAL_IPS = { IPv4: '192.168.50.200', IPv6: 'fd50::200' }; // nobody has them, but the node has a route

const { folder, binary } = copyRelease();
const servers: ChildProcess[] = [];
let cluster: Cluster;
let node: ClusterNode;
let web: Pod;
let caller: Pod;

function service(pod: Pod): Manifest[] {
  const clusterIPs = Object.values(CLUSTER_IPS);
  const ports = [{ name: 'sctp', protocol: 'SCTP', port: PORT, targetPort: TARGET_PORT, nodePort: NODE_PORT }];
  const slices = FAMILIES.map((addressType) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      namespace: 'default',
      name: `echo-${addressType.toLowerCase()}`,
      labels: { 'kubernetes.io/service-name': 'echo' },
    },
    addressType,
    ports: [{ name: 'sctp', protocol: 'SCTP', port: TARGET_PORT }],
    endpoints: [{ addresses: [ipOf(pod, addressType)], nodeName: pod.nodeName, conditions: { ready: true } }],
  }));
  const externalIPs = Object.values(EXTERNAL_IPS);
  const spec = { type: 'NodePort', clusterIP: clusterIPs[0], clusterIPs, externalIPs, ports };
  return [{ apiVersion: 'v1', kind: 'Service', metadata: { namespace: 'default', name: 'echo' }, spec }, ...slices];
}

async function serve(pod: Pod, address: string): Promise<void> {
  const server = pod.namespace.spawn(ECHO, ['listen', address, String(TARGET_PORT)], { stdio: ['ignore', 'pipe', 'inherit'] });
  servers.push(server);
  expect(String(await once(server.stdout!, 'data'))).toContain('ready');
}

beforeAll(async () => {
  cluster = new Cluster({ nodes: 1, binary });
  node = cluster.node(1);
  web = node.addPod('web');
  caller = node.addPod('caller');
  cluster.client.ip(`route add 10.96.0.0/16 via ${node.ipv4}`, `route add fd00:10:96::/112 via ${node.ipv6}`);
  for (const family of FAMILIES) await serve(web, ipOf(web, family));
  node.turnout.write('echo', service(web));
  await cluster.start();
});
afterAll(async () => {
  for (const server of servers) server.kill();
  await cluster?.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Seen {
  readonly endpoint: string;
  readonly source: string; // the client's address, as the endpoint sees it
}

/** One association from its INIT to its SHUTDOWN COMPLETE, with messages of up to 20,000 octets between. */
function associate(from: Namespace, to: string, port: number): Seen {
  const said = from.run(ECHO, 'connect', to, String(port));
  const [, endpoint = '', source = ''] = /^(\S+) saw \[?(.*?)\]?:\d+$/.exec(said.trim()) ?? [];
  return { endpoint, source };
}

function expectOwnAddress(from: Pod, { endpoint, source }: Seen, family: Family): void {
  expect({ endpoint, source }).toEqual({ endpoint: endpointOf(web, family), source: ipOf(from, family) });
}
function expectMasqueraded({ endpoint, source }: Seen, family: Family): void {
  expect(endpoint).toBe(endpointOf(web, family));
  expect(addressesOf(node.namespace)).toContain(source);
}

describe.each(['on', 'off'])('with the checksum left to the device: %s', (offload) => {
  beforeAll(() => {
    for (const namespace of [web.namespace, caller.namespace, cluster.client]) {
      namespace.run('ethtool', '-K', 'eth0', 'tx-checksum-sctp', offload);
      expect(namespace.run('ethtool', '-k', 'eth0')).toMatch(new RegExp(`tx-checksum-sctp: ${offload}$`, 'm'));
    }
  });

  describe.each(FAMILIES)('over %s', (family) => {
    const clusterIP = CLUSTER_IPS[family];

    test('a pod reaches a ClusterIP with its own address', () => {
      expectOwnAddress(caller, associate(caller.namespace, clusterIP, PORT), family);
    });
    test('a pod reaches a node port, masqueraded', () => {
      expectMasqueraded(associate(caller.namespace, ipOf(node, family), NODE_PORT), family);
    });
    test('a client outside reaches a ClusterIP, masqueraded', () => {
      expectMasqueraded(associate(cluster.client, clusterIP, PORT), family);
    });
    test('a client outside reaches a node port, masqueraded', () => {
      expectMasqueraded(associate(cluster.client, ipOf(node, family), NODE_PORT), family);
    });
    test('the node itself reaches a ClusterIP and an external IP through its own port', () => {
      for (const to of [clusterIP, EXTERNAL_IPS[family]]) expectMasqueraded(associate(node.namespace, to, PORT), family);
    });
    test('the endpoint reaches itself, masqueraded', () => {
      expectMasqueraded(associate(web.namespace, clusterIP, PORT), family);
    });
  });
});

test('each association was a flow of its own, and nothing was dropped on the way', () => {
  const { events, drops } = JSON.parse(node.turnout.run('status', '--output=json')) as StatusReport;
  const flows = 2 * FAMILIES.length * 7;
  expect(events).toMatchObject({ flow_new: flows, snat_allocated: (flows * 6) / 7 });
  // The endpoint that reaches itself is forwarded to where it came from, and the kernel advises it to go there directly.
  const { icmp_redirect, ...others } = drops;
  expect(Object.entries(others).filter(([, count]) => count > 0)).toEqual([]);
});
