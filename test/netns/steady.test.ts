// Connections that are open stay open, whatever becomes of their Service, as long as the pod at their end lives.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import { serve, serviceWithSlices } from '../../lab/service.ts';
import type { Manifest } from '../../lab/turnout.ts';
import { FAMILIES, ipOf } from './traffic.ts';

const NODE_PORT = 31_200;
const HELD = 10; // connections of each client
const VIP = { IPv4: '203.0.113.40', IPv6: 'fd99::40' };
const CLUSTER_IP = { IPv4: '10.96.0.40', IPv6: 'fd00:10:96::40' };

interface Endpoints {
  endpoints: readonly { conditions: object }[];
}
/** What a user changes: fields of the spec, of the status, or every endpoint. */
interface Change {
  readonly spec?: object;
  readonly status?: object;
  readonly ports?: (port: { name: string; nodePort: number }) => object;
  readonly conditions?: object;
  readonly withoutEndpoints?: boolean;
}

const CHANGES: readonly [string, Change][] = [
  ['internalTrafficPolicy becomes Local', { spec: { internalTrafficPolicy: 'Local' } }],
  ['externalTrafficPolicy becomes Local', { spec: { externalTrafficPolicy: 'Local' } }],
  ['sessionAffinity becomes ClientIP', { spec: { sessionAffinity: 'ClientIP' } }],
  ['source ranges shut its client out', { spec: { loadBalancerSourceRanges: ['198.51.100.0/24', 'fd98::/64'] } }],
  ['the load-balancer IP goes', { status: {} }],
  ['the node port changes', { ports: (port) => ({ ...port, nodePort: port.nodePort + 1 }) }],
  ['the port is renamed', { ports: (port) => ({ ...port, name: `${port.name}-new` }) }],
  ['its endpoints are not ready', { conditions: { ready: false, serving: false } }],
  ['its endpoints terminate', { conditions: { ready: false, serving: true, terminating: true } }],
  ['its endpoints are removed', { withoutEndpoints: true }],
];

function changed([service, ...slices]: readonly Manifest[], change: Change): Manifest[] {
  const spec = { ...(service!['spec'] as { ports: { name: string; nodePort: number }[] }), ...change.spec };
  const { ports = (port) => port, status = service!['status'] } = change;
  return [
    { ...service!, spec: { ...spec, ports: spec.ports.map(ports) }, status },
    ...slices.map((slice) => {
      const { endpoints } = slice as unknown as Endpoints;
      const kept = change.withoutEndpoints ? [] : endpoints;
      return {
        ...slice,
        endpoints: kept.map((endpoint) => ({ ...endpoint, conditions: change.conditions ?? endpoint.conditions })),
      };
    }),
  ];
}

describe('an open connection', () => {
  let cluster: Cluster;
  let node: ClusterNode;
  let guest: Pod;

  beforeAll(async () => {
    cluster = new Cluster();
    node = cluster.node(1);
    const [near, far] = [node.addPod('near'), cluster.node(2).addPod('far')];
    guest = node.addPod('guest');
    await Promise.all([serve(near), serve(far)]);
    await cluster.start();
  });
  afterAll(() => cluster?.close());

  const objects = (): Manifest[] => {
    const pods = cluster.nodes.map(({ pods: [pod] }) => pod!);
    const [service, ...slices] = serviceWithSlices({
      ...{ name: 'web', clusterIPs: Object.values(CLUSTER_IP), pods, nodePort: NODE_PORT },
    });
    const status = { loadBalancer: { ingress: Object.values(VIP).map((ip) => ({ ip })) } };
    return [{ ...service!, spec: { ...(service!['spec'] as object), type: 'LoadBalancer' }, status }, ...slices];
  };

  test.each(CHANGES)('stays when %s, or the whole Service goes', async (what, change) => {
    await cluster.apply('web', objects());
    const names: [string, { check(name: string): Promise<unknown> }][] = [];
    for (const family of FAMILIES) {
      for (const [from, to, port] of [
        [cluster.client, ipOf(node, family), NODE_PORT],
        [guest.namespace, CLUSTER_IP[family], 80],
        [guest.namespace, VIP[family], 80],
        [node.namespace, CLUSTER_IP[family], 80],
      ] as const) {
        const name = `${what} ${from.name} ${to}`;
        await from.agent.hold(name, { protocol: 'TCP', to, port, count: HELD });
        names.push([name, from.agent]);
      }
    }
    const check = async (): Promise<void> => {
      for (const [name, agent] of names) {
        expect([name, await agent.check(name)]).toEqual([name, { held: HELD, alive: HELD, errors: [] }]);
      }
    };
    await cluster.apply('web', changed(objects(), change));
    await check();
    await cluster.apply('web', []);
    await check();
  });

  test('of the node to a machine outside stays when its address becomes the external IP of a Service', async () => {
    const port = 8099;
    await cluster.client.agent.listen('TCP', '::', port);
    const { agent } = node.namespace;
    for (const to of [cluster.clientIpv4, cluster.clientIpv6])
      await agent.hold('before', { protocol: 'TCP', to, port, count: HELD });
    const externalIPs = [cluster.clientIpv4, cluster.clientIpv6];
    await cluster.apply(
      'late',
      serviceWithSlices({ name: 'late', clusterIPs: ['10.96.0.41', 'fd00:10:96::41'], pods: [], port, externalIPs }),
    );
    expect(await agent.check('before')).toEqual({ held: 2 * HELD, alive: 2 * HELD, errors: [] });
    await agent.release('before');
  });
});
