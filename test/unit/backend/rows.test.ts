import { describe, expect, test } from 'vitest';
import { allowedSources, frontendRowsOf, listKey } from '../../../src/backend/ebpf/rows.ts';
import { addressText } from '../../../src/datapath/address.ts';
import { FrontendFlag } from '../../../src/datapath/layout.gen.ts';
import type { ServicePort } from '../../../src/state/model.ts';
import { endpointOf, unitOf } from './unit-of.ts';

const FLAG_NAMES = Object.entries(FrontendFlag).map(([name, bit]) => [name.slice('LB_FRONTEND_'.length), bit] as const);

/** Rows as text: '10.96.0.10 80 6 EXTERNAL HAS_ENDPOINTS'. */
function rowsOf(values: Partial<ServicePort>): string[] {
  return frontendRowsOf(unitOf(values)).map(({ key, flags }) => {
    const names = FLAG_NAMES.filter(([, bit]) => flags & bit).map(([name]) => name);
    return [addressText(key.address), key.port, key.protocol, ...names].join(' ');
  });
}

describe('rows of a unit', () => {
  test('a ClusterIP is one row', () => {
    expect(rowsOf({ hasEndpoints: true })).toEqual(['10.96.0.10 80 6 HAS_ENDPOINTS']);
  });

  test('without endpoints the row is there, so that who connects is refused', () => {
    expect(rowsOf({})).toEqual(['10.96.0.10 80 6']);
  });

  test('a local endpoint is told whichever list it is in', () => {
    const endpoint = endpointOf('10.244.1.2:8080 local');
    const expected = ['10.96.0.10 80 6 HAS_ENDPOINTS HAS_LOCAL'];
    expect(rowsOf({ hasEndpoints: true, clusterEndpoints: [endpoint] })).toEqual(expected);
    expect(rowsOf({ hasEndpoints: true, internalTrafficPolicy: 'Local', localEndpoints: [endpoint] })).toEqual([
      '10.96.0.10 80 6 LOCAL_ONLY HAS_ENDPOINTS HAS_LOCAL',
    ]);
  });

  test('UDP is protocol 17', () => {
    expect(rowsOf({ protocol: 'UDP', port: 53 })).toEqual(['10.96.0.10 53 17']);
  });

  test('SCTP is protocol 132', () => {
    expect(rowsOf({ protocol: 'SCTP', port: 3868 })).toEqual(['10.96.0.10 3868 132']);
  });

  test('external and load-balancer IPs are rows for traffic from outside', () => {
    expect(rowsOf({ hasEndpoints: true, externalIPs: ['192.0.2.1'], loadBalancerVIPs: ['198.51.100.1'] })).toEqual([
      '10.96.0.10 80 6 HAS_ENDPOINTS',
      '192.0.2.1 80 6 EXTERNAL HAS_ENDPOINTS',
      '198.51.100.1 80 6 EXTERNAL HAS_ENDPOINTS',
    ]);
  });

  test('an address that is named twice is one row, and the ClusterIP stays what it is', () => {
    const vips = ['192.0.2.1', '10.96.0.10'];
    expect(rowsOf({ externalIPs: vips, loadBalancerVIPs: vips })).toEqual(['10.96.0.10 80 6', '192.0.2.1 80 6 EXTERNAL']);
  });

  test.each([
    ['IPv4', '10.96.0.10', '0.0.0.0'],
    ['IPv6', 'fd00:96::10', '::'],
  ] as const)('a node port of %s has its own port and the zero address of its family', (ipFamily, clusterIP, zero) => {
    expect(rowsOf({ ipFamily, clusterIP, nodePort: 30_080 })).toEqual([
      `${clusterIP} 80 6`,
      `${zero} 30080 6 EXTERNAL NODE_PORT`,
    ]);
  });

  test('a node port of IPv4 and one of IPv6 are different rows', () => {
    const nodePort = { nodePort: 30_080 };
    const v4 = frontendRowsOf(unitOf(nodePort)).at(-1);
    const v6 = frontendRowsOf(unitOf({ ...nodePort, ipFamily: 'IPv6', clusterIP: 'fd00:96::10' })).at(-1);
    expect(v4?.key.address).not.toEqual(v6?.key.address);
  });
});

describe('policies', () => {
  const everywhere = { externalIPs: ['192.0.2.1'], loadBalancerVIPs: ['198.51.100.1'], nodePort: 30_080 };

  test('internalTrafficPolicy Local is for the ClusterIP', () => {
    expect(rowsOf({ ...everywhere, internalTrafficPolicy: 'Local' })).toEqual([
      '10.96.0.10 80 6 LOCAL_ONLY',
      '192.0.2.1 80 6 EXTERNAL',
      '198.51.100.1 80 6 EXTERNAL',
      '0.0.0.0 30080 6 EXTERNAL NODE_PORT',
    ]);
  });

  test('externalTrafficPolicy Local is for everything else', () => {
    expect(rowsOf({ ...everywhere, externalTrafficPolicy: 'Local' })).toEqual([
      '10.96.0.10 80 6',
      '192.0.2.1 80 6 EXTERNAL LOCAL_ONLY',
      '198.51.100.1 80 6 EXTERNAL LOCAL_ONLY',
      '0.0.0.0 30080 6 EXTERNAL LOCAL_ONLY NODE_PORT',
    ]);
  });

  test('session affinity is for all rows', () => {
    const rows = rowsOf({ ...everywhere, sessionAffinitySeconds: 10_800 });
    expect(rows).toHaveLength(4);
    for (const row of rows) expect(row).toMatch(/ AFFINITY$/);
  });
});

describe('lists of backends', () => {
  const a = endpointOf('10.244.1.2:8080');
  const b = endpointOf('10.244.2.3:8080');

  test('are the same when they have the same addresses and ports in the same order', () => {
    expect(listKey([a, b])).toBe(listKey([{ ...a }, { ...b, ready: false, terminating: true }]));
    expect(listKey([])).toBe('');
  });

  test.each([
    ['an endpoint less', [a]],
    ['another address', [a, { ...b, ip: '10.244.2.4' }]],
    ['another port', [a, { ...b, port: 8081 }]],
    ['an endpoint that is on this node', [a, { ...b, isLocal: true }]],
  ])('differ by %s', (_what, list) => {
    expect(listKey(list)).not.toBe(listKey([a, b]));
  });
});

describe('who may use load-balancer IPs', () => {
  const unit = unitOf({ loadBalancerVIPs: ['198.51.100.1', '198.51.100.2'], sourceRanges: ['192.0.2.0/24'] });

  test('is everybody without ranges, and nobody is asked without load-balancer IPs', () => {
    expect(allowedSources({ ...unit, sourceRanges: [] }, ['192.0.2.7'])).toEqual([]);
    expect(allowedSources({ ...unit, loadBalancerVIPs: [] }, ['192.0.2.7'])).toEqual([]);
  });

  test('are the ranges, where they do not hold the node', () => {
    expect(allowedSources(unit, ['203.0.113.7'])).toEqual(['192.0.2.0/24']);
    expect(allowedSources(unit, [])).toEqual(['192.0.2.0/24']);
  });

  test('are the load-balancer IPs too, where the ranges hold the node address of this family', () => {
    expect(allowedSources(unit, ['2001:db8::7', '192.0.2.7'])).toEqual(['192.0.2.0/24', '198.51.100.1/32', '198.51.100.2/32']);
  });

  test('only rows of load-balancer IPs ask for the source', () => {
    const rows = rowsOf({
      externalIPs: ['203.0.113.1'],
      loadBalancerVIPs: ['198.51.100.1'],
      sourceRanges: ['192.0.2.0/24'],
      nodePort: 30_080,
    });
    expect(rows.map((row) => row.includes('SOURCE_RANGES'))).toEqual([false, false, true, false]);
  });
});
