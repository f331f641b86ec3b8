import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LEFT_OUT } from '../../../src/cluster/object-reader.ts';
import { describeReference, readObject } from '../../../src/cluster/read-object.ts';
import type { EndpointSlice } from '../../../src/state/model.ts';

const service = (spec: object, more: object = {}): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'shop' },
  spec,
  ...more,
});
const slice = (fields: object): object => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  ...fields,
});

/** The object read; fails when it was refused. */
function objectIn(value: object) {
  const result = readObject(value);
  if (result.kind !== 'object') throw new Error(`not read: ${JSON.stringify(result)}`);
  return result.object;
}

/** 'field message' of each fault. */
function faultsIn(value: object): string[] {
  const result = readObject(value);
  return result.kind === 'faulty' ? result.faults.map(({ field, message }) => `${field} ${message}`) : [];
}

/** 'field message' of each entry that the object is without. */
function omissionsIn(value: object): string[] {
  const result = readObject(value);
  return result.kind === 'object' ? result.omissions.map(({ field, message }) => `${field} ${message}`) : [];
}

describe('a Service', () => {
  test('has the usual values where nothing is said', () => {
    expect(objectIn(service({ clusterIP: '10.96.0.10', ports: [{ port: 80 }] }))).toEqual({
      kind: 'Service',
      namespace: 'shop',
      name: 'web',
      type: 'ClusterIP',
      labels: {},
      clusterIPs: ['10.96.0.10'],
      externalIPs: [],
      loadBalancerVIPs: [],
      loadBalancerSourceRanges: [],
      ports: [{ name: '', protocol: 'TCP', port: 80, nodePort: 0 }],
      internalTrafficPolicy: 'Cluster',
      externalTrafficPolicy: 'Cluster',
      sessionAffinitySeconds: 0,
      healthCheckNodePort: 0,
    });
  });

  test.each<[string, object, string[]]>([
    ['headless by clusterIP', { clusterIP: 'None' }, []],
    ['headless by clusterIPs', { clusterIPs: ['None'] }, []],
    ['without an address yet', { clusterIP: '' }, []],
    ['ExternalName', { type: 'ExternalName', clusterIP: '10.96.0.10' }, []],
    ['dual-stack', { clusterIP: '10.96.0.10', clusterIPs: ['10.96.0.10', 'FD00:96:0::a'] }, ['10.96.0.10', 'fd00:96::a']],
    ['with leading zeros', { clusterIP: '010.096.000.010' }, ['10.96.0.10']],
  ])('%s has the cluster IPs it should', (_, spec, clusterIPs) => {
    expect(objectIn(service(spec))).toMatchObject({ clusterIPs });
  });

  test('answers on load-balancer addresses of mode VIP or none, never on hostnames', () => {
    const ingress = [
      { ip: '198.51.100.1' },
      { ip: '198.51.100.2', ipMode: 'VIP' },
      { ip: '198.51.100.3', ipMode: 'Proxy' },
      { hostname: 'lb.example' },
    ];
    const read = objectIn(service({ clusterIP: '10.96.0.10' }, { status: { loadBalancer: { ingress } } }));
    expect(read).toMatchObject({ loadBalancerVIPs: ['198.51.100.1', '198.51.100.2'] });
  });

  test.each([
    [{ sessionAffinity: 'ClientIP' }, 10_800],
    [{ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } }, 60],
    [{ sessionAffinity: 'None', sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } }, 0],
  ])('%j is an affinity of %d seconds', (spec, seconds) => {
    expect(objectIn(service(spec))).toMatchObject({ sessionAffinitySeconds: seconds });
  });

  test.each<[object, string]>([
    [{ clusterIP: '10.96.0.256' }, 'spec.clusterIP is no IP address: "10.96.0.256"'],
    [{ clusterIPs: ['10.96.0.1', '10.96.0.2'] }, 'spec.clusterIPs[1] is a second address of one family'],
    [{ externalIPs: [1] }, 'spec.externalIPs[0] must be a string, not 1'],
    [
      { ports: [{ port: 80 }, { name: 'b', port: 70000 }] },
      'spec.ports[1].port must be a whole number from 1 to 65535, not 70000',
    ],
    [{ ports: [{ port: '80' }] }, 'spec.ports[0].port must be a whole number from 1 to 65535, not "80"'],
    [{ ports: [{ name: 'http' }] }, 'spec.ports[0].port is required'],
    [{ ports: [{ port: 80, nodePort: -1 }] }, 'spec.ports[0].nodePort must be a whole number from 1 to 65535, not -1'],
    [{ ports: [{ port: 80, protocol: 6 }] }, 'spec.ports[0].protocol must be one of TCP, UDP, SCTP, not 6'],
    [{ ports: [{ port: 80 }, { port: 81 }] }, 'spec.ports[1].name is a second port "" of protocol TCP'],
    [{ ports: ['http'] }, 'spec.ports[0] must be an object, not "http"'],
    [{ type: 'Other' }, 'spec.type must be one of ClusterIP, NodePort, LoadBalancer, ExternalName, not "Other"'],
    // kube-proxy goes on without it, which opens the load balancer when it was the only one.
    [{ loadBalancerSourceRanges: ['10.0.0.0/8', '10.0.0.1'] }, 'spec.loadBalancerSourceRanges[1] is no CIDR: "10.0.0.1"'],
  ])('with %j is refused: %s', (spec, fault) => {
    expect(faultsIn(service(spec))).toEqual([fault]);
  });

  const READABLE = { clusterIP: '10.96.0.10', ports: [{ port: 80 }] };
  const ingress = (...list: object[]): object => ({ status: { loadBalancer: { ingress: list } } });
  test.each<[object, object, object, string]>([
    [
      { externalIPs: ['x', '192.0.2.1'] },
      {},
      { externalIPs: ['192.0.2.1'] },
      'spec.externalIPs[0] is no IP address: "x"; LEFT_OUT',
    ],
    [
      { externalIPs: ['::ffff:192.0.2.1'] },
      {},
      { externalIPs: [] },
      'spec.externalIPs[0] is no IP address: "::ffff:192.0.2.1"; LEFT_OUT',
    ],
    [
      { externalIPs: ['192.0.2.1', '2001:db8::1'] },
      {},
      { externalIPs: ['192.0.2.1', '2001:db8::1'] },
      'spec.externalIPs[1] is an IPv6 address, and the Service has no IPv6 cluster IP; LEFT_OUT',
    ],
    [
      {},
      ingress({ ip: 'y' }, { ip: '198.51.100.1' }),
      { loadBalancerVIPs: ['198.51.100.1'] },
      'status.loadBalancer.ingress[0].ip is no IP address: "y"; LEFT_OUT',
    ],
    [
      {},
      ingress({ ip: '198.51.100.1', ipMode: 'Other' }),
      { loadBalancerVIPs: [] },
      'status.loadBalancer.ingress[0].ipMode must be one of VIP, Proxy, not "Other"; LEFT_OUT',
    ],
    [
      {},
      ingress({ hostname: 'lb.example' }, { ip: '2001:db8::1' }),
      { loadBalancerVIPs: ['2001:db8::1'] },
      'status.loadBalancer.ingress[1].ip is an IPv6 address, and the Service has no IPv6 cluster IP; LEFT_OUT',
    ],
    [
      { ports: [{ port: 80, protocol: 'QUIC' }, { port: 81 }] },
      {},
      { ports: [{ name: '', protocol: 'TCP', port: 81, nodePort: 0 }] },
      'spec.ports[0].protocol must be one of TCP, UDP, SCTP, not "QUIC"; LEFT_OUT',
    ],
    [{ ports: [] }, {}, { ports: [] }, 'spec.ports is empty; nothing is served'],
  ])('with %j and %j goes on without an entry, and says so', (spec, more, read, omission) => {
    const value = service({ ...READABLE, ...spec }, more);
    expect(objectIn(value)).toMatchObject(read);
    expect(omissionsIn(value)).toEqual([omission.replace('LEFT_OUT', LEFT_OUT)]);
  });

  test('source ranges may have space around them, host bits, and both families', () => {
    const loadBalancerSourceRanges = [' 203.0.113.0/25', '2001:DB8::1/32\t', '10.1.2.3/8'];
    expect(objectIn(service({ ...READABLE, loadBalancerSourceRanges }))).toMatchObject({
      loadBalancerSourceRanges: ['203.0.113.0/25', '2001:db8::/32', '10.0.0.0/8'],
    });
    expect(omissionsIn(service({ ...READABLE, loadBalancerSourceRanges }))).toEqual([]);
  });
});

describe('an EndpointSlice', () => {
  test('has conditions with the usual values, and hints; only the first address of an endpoint counts', () => {
    const endpoint = { addresses: ['010.244.1.1', '10.244.1.2'], nodeName: 'node-a', hints: { forZones: [{ name: 'zone-1' }] } };
    expect(objectIn(slice({ ports: [{ name: 'http', port: 8080 }], endpoints: [endpoint] }))).toMatchObject({
      serviceName: 'web',
      namespace: 'default',
      ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
      endpoints: [
        {
          address: '10.244.1.1',
          nodeName: 'node-a',
          ready: true,
          serving: true,
          terminating: false,
          zoneHints: ['zone-1'],
          nodeHints: [],
        },
      ],
    });
  });

  test('leaves out ports without a number, and endpoints without an address or of the other family', () => {
    const addresses = [[], ['fd00::1'], ['x', '10.244.1.2'], ['10.244.1.3', 'x']];
    const value = slice({ ports: [{ name: 'any' }], endpoints: [{}, ...addresses.map((one) => ({ addresses: one }))] });
    expect(objectIn(value)).toMatchObject({ ports: [], endpoints: [{ address: '10.244.1.3' }] });
    expect(omissionsIn(value)).toEqual([
      `endpoints[0].addresses is empty; ${LEFT_OUT}`,
      `endpoints[1].addresses is empty; ${LEFT_OUT}`,
      `endpoints[2].addresses[0] is no IPv4 address: fd00::1; ${LEFT_OUT}`,
      `endpoints[3].addresses[0] is no IP address: "x"; ${LEFT_OUT}`,
    ]);
  });

  test('leaves out ports of unknown protocols', () => {
    const value = slice({
      ports: [
        { port: 80, protocol: 'QUIC' },
        { port: 81, protocol: 'SCTP' },
      ],
    });
    expect(objectIn(value)).toMatchObject({ ports: [{ name: '', protocol: 'SCTP', port: 81 }] });
    expect(omissionsIn(value)).toEqual([`ports[0].protocol must be one of TCP, UDP, SCTP, not "QUIC"; ${LEFT_OUT}`]);
  });

  test.each<[unknown, number | undefined, number]>([
    ['2026-01-02T03:04:05Z', Date.UTC(2026, 0, 2, 3, 4, 5), 0],
    ['2026-01-02T03:04:05.678901234+01:00', Date.UTC(2026, 0, 2, 2, 4, 5, 678), 0],
    ['', undefined, 0],
    ['yesterday', undefined, 1],
    ['2026-01-02', undefined, 1],
    ['2026-13-02T03:04:05Z', undefined, 1],
  ])('whose change was triggered at %j has the time %s', (text, ms, omissions) => {
    const annotations = { 'endpoints.kubernetes.io/last-change-trigger-time': text };
    const value = slice({ metadata: { name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' }, annotations } });
    expect((objectIn(value) as EndpointSlice).lastChangeTriggerMs).toBe(ms);
    expect(omissionsIn(value)).toHaveLength(omissions);
  });

  test('that names no Service is told', () => {
    expect(omissionsIn(slice({ metadata: { name: 'web-1' } }))).toEqual([
      'metadata.labels has no kubernetes.io/service-name: the slice belongs to no Service',
    ]);
  });

  test('of names is nothing for a proxy', () => {
    expect(readObject(slice({ addressType: 'FQDN' }))).toMatchObject({ kind: 'ignored' });
  });

  test.each<[object, string]>([
    [{ endpoints: [{ addresses: [1] }] }, 'endpoints[0].addresses[0] must be a string, not 1'],
    [
      { endpoints: [{ addresses: ['10.244.1.1'], conditions: { ready: 'yes' } }] },
      'endpoints[0].conditions.ready must be true or false, not "yes"',
    ],
    [{ ports: [{ port: 65536 }] }, 'ports[0].port must be a whole number from 1 to 65535, not 65536'],
    [{ addressType: 'IPv5' }, 'addressType must be one of IPv4, IPv6, FQDN, not "IPv5"'],
    [{ metadata: { name: 'web-1', labels: { a: 1 } } }, 'metadata.labels.a must be a string, not 1'],
  ])('with %j is refused: %s', (fields, fault) => {
    expect(faultsIn(slice(fields))).toEqual([fault]);
  });
});

test('a Node has its pod CIDRs, addresses, taints and whether it is being deleted', () => {
  const metadata = { name: 'node-a', deletionTimestamp: '2026-01-01T00:00:00Z' };
  const spec = {
    podCIDR: '10.244.1.0/24',
    podCIDRs: ['10.244.1.0/24', 'FD00::/64'],
    taints: [{ key: 'a', effect: 'NoSchedule' }],
  };
  const status = { addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] };
  expect(objectIn({ apiVersion: 'v1', kind: 'Node', metadata, spec, status })).toEqual({
    kind: 'Node',
    name: 'node-a',
    labels: {},
    addresses: [{ type: 'InternalIP', address: '192.0.2.1' }],
    podCIDRs: ['10.244.1.0/24', 'fd00::/64'],
    isDeleting: true,
    taintKeys: ['a'],
  });
});

test('a pod CIDR that is none is passed on and told, and costs the Node nothing else', () => {
  const spec = { podCIDRs: ['10.244.1.0/24', '2001:db2:1/64'] };
  const value = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-a' }, spec };
  expect(objectIn(value)).toMatchObject({ podCIDRs: ['10.244.1.0/24', '2001:db2:1/64'] });
  expect(omissionsIn(value)).toEqual(['spec.podCIDRs[1] is no CIDR: "2001:db2:1/64"; no pod is recognised by it']);
});

test('a name that is none is refused, and namespaces do not count where there are none', () => {
  expect(faultsIn({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'a b' } })).toEqual([
    'metadata.name is no Kubernetes name: "a b"',
  ]);
  const cidr = { kind: 'ServiceCIDR', apiVersion: 'networking.k8s.io/v1', metadata: { name: 'a', namespace: 'x' } };
  const { reference } = readObject({ ...cidr, spec: { cidrs: ['10.96.0.0/12'] } });
  expect(describeReference(reference)).toBe('ServiceCIDR a');
});

test('no value makes the reader throw', () => {
  const kind = fc.constantFrom('Service', 'EndpointSlice', 'Node', 'ServiceCIDR', 'toString', '__proto__');
  const fields = fc.dictionary(fc.constantFrom('spec', 'metadata', 'status', 'ports', 'endpoints', '__proto__'), fc.jsonValue());
  const specs = fc.dictionary(fc.constantFrom('clusterIP', 'clusterIPs', 'ports', 'taints', 'cidrs', 'podCIDR'), fc.jsonValue());
  fc.assert(
    fc.property(kind, fields, specs, fc.jsonValue(), (kind, fields, spec, any) => {
      const metadata = { name: 'a' };
      for (const value of [any, { kind, ...fields }, { kind, metadata, spec }, { kind, metadata, ...fields }]) {
        expect(['object', 'ignored', 'faulty']).toContain(readObject(value).kind);
      }
    }),
    { numRuns: 500 },
  );
});
