// Traffic of the node to Services without the socket path: by a port of its own, translated like a pod's.
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CLUSTER_CIDR, Cluster, type ClusterNode, type Pod } from '../../lab/cluster.ts';
import { serve, serviceWithSlices } from '../../lab/service.ts';
import { until } from '../../lab/turnout.ts';
import {
  addressesOf,
  CLUSTER_IPS,
  endpointOf,
  FAMILIES,
  type Family,
  ipOf,
  KINDS,
  PROTOCOLS,
  reach,
  refusal,
  sourceOf,
} from './traffic.ts';

const FLAGS = [`--cluster-cidr=${CLUSTER_CIDR}`, '--ebpf-min-sync-period=0s', '--ebpf-socket-path=off'];
const EXTERNAL_IPS = { IPv4: '203.0.113.10', IPv6: '2001:db8:113::10' } as const;
const LOAD_BALANCER_IPS = { IPv4: '203.0.113.20', IPv6: '2001:db8:113::20' } as const;
const HOSTED_IPS = { IPv4: '10.96.0.20', IPv6: 'fd00:10:96::20' } as const;
const NOBODY_IPS = { IPv4: '10.96.0.30', IPv6: 'fd00:10:96::30' } as const;
const TOOLS = { IPv4: 'iptables', IPv6: 'ip6tables' } as const;

const asPod = (node: ClusterNode): Pod => ({
  ...node,
  nodeName: node.name,
  namespace: node.namespace,
  ipv4: node.ipv4,
  ipv6: node.ipv6,
  name: node.name,
});

const loadBalancer = {
  type: 'LoadBalancer',
  status: { loadBalancer: { ingress: Object.values(LOAD_BALANCER_IPS).map((ip) => ({ ip, ipMode: 'VIP' })) } },
};

describe.each(['ptp', 'bridge'] as const)('processes of a node with pods by %s, socket path off', (pods) => {
  let cluster: Cluster;
  let [node1, node2]: ClusterNode[] = [];
  let near: Pod;
  let far: Pod;

  beforeAll(async () => {
    cluster = new Cluster({ flags: FLAGS, pods });
    [node1, node2] = [cluster.node(1), cluster.node(2)];
    [near, far] = [node1.addPod('near'), node2.addPod('far')];
    // As on any real node; without a route to an external address the kernel refuses packets from it, kube-proxy or not.
    node1.namespace.ip(`route add default via ${cluster.clientIpv4}`, `route add default via ${cluster.clientIpv6}`);
    for (const tool of Object.values(TOOLS)) {
      node1.namespace.run(tool, '-P', 'FORWARD', 'DROP');
      for (const chain of ['FORWARD', 'INPUT', 'OUTPUT'])
        node1.namespace.run(tool, '-A', chain, '-m', 'conntrack', '--ctstate', 'INVALID', '-j', 'DROP');
    }
    await Promise.all([near, far, asPod(node1), asPod(node2)].map((one) => serve(one)));
    await cluster.start();
    await cluster.apply('services', [
      ...withStatus(
        serviceWithSlices({
          ...{ name: 'web', clusterIPs: Object.values(CLUSTER_IPS), pods: [near, far], externalIPs: Object.values(EXTERNAL_IPS) },
          spec: { type: 'LoadBalancer' },
        }),
      ),
      ...serviceWithSlices({ name: 'hosted', clusterIPs: Object.values(HOSTED_IPS), pods: [asPod(node1), asPod(node2)] }),
      ...serviceWithSlices({ name: 'nobody', clusterIPs: Object.values(NOBODY_IPS), pods: [] }),
    ]);
  });
  afterAll(() => cluster?.close());

  const withStatus = (manifests: ReturnType<typeof serviceWithSlices>) => {
    const [service, ...slices] = manifests;
    return [{ ...service!, status: loadBalancer.status }, ...slices];
  };

  const expectFromNode = (seen: Map<string, Set<string>>, family: Family, endpoints: readonly Pod[]): void => {
    expect([...seen.keys()].sort()).toEqual(endpoints.map((one) => endpointOf(one, family)).sort());
    const own = addressesOf(node1!.namespace);
    for (const sources of seen.values()) for (const source of sources) expect(own).toContain(source);
  };

  test.each(KINDS)('reach pods of both nodes by a ClusterIP: $family $protocol', async ({ family, protocol }) => {
    const seen = await reach(node1!.namespace, CLUSTER_IPS[family], 80, protocol);
    expectFromNode(seen, family, [near, far]);
  });

  test.each(KINDS)('reach pods by an external IP and by a load-balancer IP: $family $protocol', async ({ family, protocol }) => {
    for (const addresses of [EXTERNAL_IPS, LOAD_BALANCER_IPS]) {
      const seen = await reach(node1!.namespace, addresses[family], 80, protocol);
      expectFromNode(seen, family, [near, far]);
    }
  });

  test.each(KINDS)('reach hostNetwork endpoints here and there: $family $protocol', async ({ family, protocol }) => {
    const seen = await reach(node1!.namespace, HOSTED_IPS[family], 80, protocol);
    expect([...seen.keys()].sort()).toEqual([node1!, node2!].map((one) => endpointOf(asPod(one), family)).sort());
    expect([...(seen.get(endpointOf(asPod(node2!), family)) ?? [])]).toEqual([ipOf(node1!, family)]);
  });

  test.each(KINDS)('are refused where there is no endpoint: $family $protocol', async ({ family, protocol }) => {
    expect(await refusal(node1!.namespace, NOBODY_IPS[family], 80, protocol)).toEqual(['ECONNREFUSED']);
  });

  test.each(KINDS)('reach a Service from an address they are bound to: $family $protocol', async ({ family, protocol }) => {
    const outcomes = await node1!.namespace.agent.connect({
      ...{ protocol, to: CLUSTER_IPS[family], port: 80, from: ipOf(node1!, family), count: 8, timeoutMs: 3000 },
    });
    expect(outcomes.filter(({ ok }) => !ok)).toEqual([]);
  });
});

describe('the port of the host', () => {
  let cluster: Cluster;
  let node1: ClusterNode;
  let near: Pod;
  let far: Pod;

  beforeEach(async () => {
    cluster = new Cluster({ flags: FLAGS });
    node1 = cluster.node(1);
    [near, far] = [node1.addPod('near'), cluster.node(2).addPod('far')];
    node1.namespace.ip(`route add default via ${cluster.clientIpv4}`, `route add default via ${cluster.clientIpv6}`);
    await Promise.all([serve(near), serve(far)]);
    await cluster.start();
  });
  afterEach(() => cluster?.close());

  const web = (endpoints: readonly Pod[], spec = {}) =>
    serviceWithSlices({
      ...{ name: 'web', clusterIPs: Object.values(CLUSTER_IPS), pods: endpoints },
      ...{ externalIPs: Object.values(EXTERNAL_IPS), spec },
    });

  /** Everything of the port: devices, rules and routes, of both families. */
  const present = (): string => {
    const { namespace } = node1;
    const show = (...args: string[]): string => namespace.run('ip', ...args);
    const rules = [show('-4', 'rule', 'show'), show('-6', 'rule', 'show')].flatMap((text) => text.split('\n'));
    const routes = [show('-4', 'route', 'show', 'table', 'all'), show('-6', 'route', 'show', 'table', 'all')];
    const ours = [...rules, ...routes.flatMap((text) => text.split('\n')), ...show('-o', 'link', 'show').split('\n')];
    return ours.filter((line) => /turnout[01]|2981[34]/.test(line)).join('\n');
  };

  const aliasSources = (seen: Map<string, Set<string>>): string[] =>
    [...seen.values()].flatMap((sources) => [...sources]).filter((source) => /^169\.254\.116\.|^fd74:7572/.test(source));

  test.each(KINDS)('without a detector the endpoint sees the address the process has: $family $protocol', async (kind) => {
    const { family, protocol } = kind;
    await node1.turnout.stop();
    await node1.turnout.start(['--ebpf-min-sync-period=0s', '--ebpf-socket-path=off']);
    await cluster.apply('web', web([far]));
    const other = family === 'IPv4' ? '192.168.50.77' : 'fd50::77';
    node1.namespace.ip(`addr add ${other}/${family === 'IPv4' ? 24 : 64} dev eth0`);
    const ask = { protocol, to: CLUSTER_IPS[family], port: 80, count: 4, timeoutMs: 3000 };
    const outcomes = [
      ...(await node1.namespace.agent.connect({ ...ask, from: other })),
      ...(await node1.namespace.agent.connect({ ...ask, from: ipOf(node1, family) })),
    ];
    expect(outcomes.map(sourceOf)).toEqual([...Array(4).fill(other), ...Array(4).fill(ipOf(node1, family))]);
  });

  test.each(KINDS)('traffic policy Local does not bind the node itself: $family $protocol', async ({ family, protocol }) => {
    await cluster.apply('web', web([far], { externalTrafficPolicy: 'Local' }));
    const seen = await reach(node1.namespace, EXTERNAL_IPS[family], 80, protocol);
    expect([...seen]).toEqual([[endpointOf(far, family), new Set([ipOf(node1, family)])]]);
    expect(aliasSources(seen)).toEqual([]);
  });

  test('takes Services only: other ports of an external address, and addresses of others, are reached as before', async () => {
    await cluster.apply('web', web([far]));
    const { client } = cluster;
    client.ip(`addr add ${EXTERNAL_IPS.IPv4}/32 dev lo`, `addr add ${EXTERNAL_IPS.IPv6}/128 dev lo`);
    for (const [family, address] of Object.entries(EXTERNAL_IPS) as [Family, string][]) {
      await client.agent.listen('TCP', address, 81);
      await client.agent.listen('UDP', address, 81);
      for (const protocol of PROTOCOLS) {
        const seen = await reach(node1.namespace, address, 81, protocol);
        expect([...seen.values()]).toEqual([new Set([ipOf(node1, family)])]);
        await reach(node1.namespace, address, 80, protocol); // still the Service's
      }
    }
  });

  test('routes come and go with Services', async () => {
    await cluster.apply('web', web([near]));
    expect(present()).toContain(CLUSTER_IPS.IPv4);
    expect(present()).toContain(EXTERNAL_IPS.IPv6);
    await cluster.apply('web', []);
    expect(present()).not.toContain(CLUSTER_IPS.IPv4);
    expect(present()).not.toContain(EXTERNAL_IPS.IPv6);
    expect(present()).toContain('turnout0');
  });

  test('of a known ServiceCIDR there is one route, whatever the Services in it', async () => {
    const serviceCIDR = {
      ...{ apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', metadata: { name: 'kubernetes' } },
      spec: { cidrs: ['10.96.0.0/16', 'fd00:10:96::/108'] },
    };
    await cluster.apply('web', [...web([near]), serviceCIDR]);
    expect(present()).toContain('10.96.0.0/16 via');
    expect(present()).toContain('fd00:10:96::/108 via');
    expect(present()).not.toContain(`${CLUSTER_IPS.IPv4} via`);
    for (const family of FAMILIES) await reach(node1.namespace, CLUSTER_IPS[family], 80, 'TCP', { count: 4 });
  });

  test('what is no Service does not come back to the stack, and does not leave the node', async () => {
    const serviceCIDR = {
      ...{ apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', metadata: { name: 'kubernetes' } },
      spec: { cidrs: ['10.96.0.0/16'] },
    };
    await cluster.apply('web', [...web([near]), serviceCIDR]);
    const before = forwarded();
    const [outcome] = await node1.namespace.agent.connect({ protocol: 'UDP', to: '10.96.7.7', port: 80, timeoutMs: 300 });
    expect(outcome?.ok).toBe(false);
    expect(forwarded() - before).toBe(0);
  });

  const forwarded = (): number =>
    Number(/IpForwDatagrams\s+(\d+)/.exec(node1.namespace.run('nstat', '-asz', 'IpForwDatagrams'))?.[1] ?? Number.NaN);

  test('errors about the way find the process: a datagram that is too large for the tunnel is sent again in fragments', async () => {
    await cluster.apply('web', web([far]));
    node1.namespace.ip('route replace 10.244.2.0/24 via 192.168.50.12 mtu 1300');
    const seen = await reach(node1.namespace, CLUSTER_IPS.IPv4, 80, 'TCP', { count: 2 });
    expect([...seen.keys()]).toEqual([endpointOf(far, 'IPv4')]);
    const held = await node1.namespace.agent.hold('large', { protocol: 'UDP', to: CLUSTER_IPS.IPv4, port: 80, octets: 1400 });
    await node1.namespace.agent.check('large'); // the first was refused by the node, which said so
    await until('the path MTU is known', () => node1.namespace.run('ip', 'route', 'get', CLUSTER_IPS.IPv4).includes('mtu 1300'));
    expect(held).toHaveLength(1);
    await reach(node1.namespace, CLUSTER_IPS.IPv4, 80, 'UDP', { octets: 1400, count: 4 });
  });

  test('connections outlive the process and its successor', async () => {
    await cluster.apply('web', web([near, far]));
    const { agent } = node1.namespace;
    for (const { family, protocol } of KINDS) {
      const opened = await agent.hold('all', { protocol, to: CLUSTER_IPS[family], port: 80, count: 10 });
      expect(opened.filter(({ ok }) => !ok)).toEqual([]);
    }
    const alive = { held: 40, alive: 40, errors: [] };
    const before = present();
    await node1.turnout.stop('SIGKILL');
    expect(await agent.check('all')).toEqual(alive);
    await reach(node1.namespace, CLUSTER_IPS.IPv4, 80, 'TCP', { count: 4 });
    await node1.turnout.start();
    expect(await agent.check('all')).toEqual(alive);
    await cluster.apply('web', web([near, far]));
    expect(await agent.check('all')).toEqual(alive);
    expect(present()).toBe(before);
    await node1.turnout.stop();
    await node1.turnout.start([...FLAGS, '--ebpf-flow-table-size=65536']); // another layout
    expect(await agent.check('all')).toEqual(alive);
  });

  test('open connections outlive their Service, and what leads them goes once they are closed', async () => {
    await cluster.apply('web', web([near, far]));
    const { agent } = node1.namespace;
    const frontends = [CLUSTER_IPS, EXTERNAL_IPS].flatMap((one) => Object.values(one));
    for (const to of frontends) await agent.hold('last', { protocol: 'TCP', to, port: 80, count: 5 });
    await cluster.apply('web', []);
    expect(await agent.check('last')).toEqual({ held: 20, alive: 20, errors: [] });
    await agent.release('last');
    await node1.turnout.stop();
    await node1.turnout.start();
    await cluster.apply('web', []);
    for (const address of frontends) expect(present()).not.toContain(address);
  });

  test('is gone when it is switched off, and when everything is removed', async () => {
    await cluster.apply('web', web([near]));
    expect(present()).not.toBe('');
    await node1.turnout.stop();
    await node1.turnout.start([...FLAGS, '--ebpf-host-port=false']);
    expect(present()).toBe('');
    await node1.turnout.stop();
    await node1.turnout.start();
    await cluster.apply('web', web([near]));
    expect(present()).toContain(CLUSTER_IPS.IPv4);
    await node1.turnout.stop();
    node1.turnout.run('cleanup');
    expect(present()).toBe('');
  });

  test('is done without, with a warning that says why, where it cannot be made; pods are served as ever', async () => {
    await node1.turnout.stop();
    node1.turnout.run('cleanup');
    node1.namespace.ip('link add turnout0 type bridge');
    await node1.turnout.start();
    await cluster.apply('web', web([near, far]));
    expect(readFileSync(node1.turnout.log, 'utf8')).toMatch(/No port for traffic of the node.*turnout0 is there and is not ours/);
    expect(node1.namespace.run('ip', 'rule', 'show')).not.toContain('29813');
    await reach(near.namespace, CLUSTER_IPS.IPv4, 80, 'TCP', { count: 4 });
    await node1.turnout.stop();
    node1.turnout.run('cleanup');
    expect(present()).toContain('turnout0'); // it is somebody else's
  });

  test('comes back at the next full comparison when somebody removed a part of it', async () => {
    await cluster.apply('web', web([near]));
    const before = present();
    node1.namespace.ip('route flush table 29813', '-6 rule del pref 100 iif lo lookup 29813');
    expect(present()).not.toBe(before);
    // A ServiceCIDR that comes or goes asks for a full comparison.
    const spec = { cidrs: ['198.19.0.0/16'] };
    const serviceCIDR = { apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', metadata: { name: 'other' }, spec };
    await cluster.apply('other', [serviceCIDR]);
    await cluster.apply('other', []);
    expect(new Set(present().split('\n'))).toEqual(new Set(before.split('\n')));
  });
});
