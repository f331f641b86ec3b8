import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { describeReference, readObject } from '../../../src/cluster/read-object.ts';

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
    [{ externalIPs: ['192.0.2.1', 'example.org'] }, 'spec.externalIPs[1] is no IP address: "example.org"'],
    [{ externalIPs: ['::ffff:192.0.2.1'] }, 'spec.externalIPs[0] is no IP address: "::ffff:192.0.2.1"'],
    [
      { ports: [{ port: 80 }, { name: 'b', port: 70000 }] },
      'spec.ports[1].port must be a whole number from 1 to 65535, not 70000',
    ],
    [{ ports: [{ port: '80' }] }, 'spec.ports[0].port must be a whole number from 1 to 65535, not "80"'],
    [{ ports: [{ name: 'http' }] }, 'spec.ports[0].port is required'],
    [{ ports: [{ port: 80, nodePort: -1 }] }, 'spec.ports[0].nodePort must be a whole number from 1 to 65535, not -1'],
    [{ ports: [{ port: 80, protocol: 'tcp' }] }, 'spec.ports[0].protocol must be one of TCP, UDP, SCTP, not "tcp"'],
    [{ ports: [{ port: 80 }, { port: 81 }] }, 'spec.ports[1].name is a second port "" of protocol TCP'],
    [{ ports: ['http'] }, 'spec.ports[0] must be an object, not "http"'],
    [{ type: 'Other' }, 'spec.type must be one of ClusterIP, NodePort, LoadBalancer, ExternalName, not "Other"'],
    [{ loadBalancerSourceRanges: ['10.0.0.1'] }, 'spec.loadBalancerSourceRanges[0] is no CIDR: "10.0.0.1"'],
  ])('with %j is refused: %s', (spec, fault) => {
    expect(faultsIn(service(spec))).toEqual([fault]);
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
    const endpoints = [{ addresses: [] }, {}, { addresses: ['fd00::1'] }];
    expect(objectIn(slice({ ports: [{ name: 'any' }], endpoints }))).toMatchObject({ ports: [], endpoints: [] });
  });

  test('of names is nothing for a proxy', () => {
    expect(readObject(slice({ addressType: 'FQDN' }))).toMatchObject({ kind: 'ignored' });
  });

  test.each<[object, string]>([
    [{ endpoints: [{ addresses: ['10.244.1.1'] }, { addresses: ['x'] }] }, 'endpoints[1].addresses[0] is no IP address: "x"'],
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
