import { describe, expect, test } from 'vitest';
import type { Service } from '../../../src/state/model.ts';
import { printServicePort } from '../../../src/state/print.ts';
import { portOf, serviceOf, sliceOf, stateOf, unitsOf } from './objects.ts';

const printed = (values: Partial<Service>): string[] => unitsOf(stateOf(serviceOf(values))).map(printServicePort);
const keysOf = (values: Partial<Service>): string[] => unitsOf(stateOf(serviceOf(values))).map(({ key }) => key);

describe('a Service becomes units', () => {
  test('a ClusterIP Service with one port is one unit', () => {
    expect(printed({})).toEqual(['svc default/web:http 10.96.0.10:80/TCP backends=0 no-endpoints']);
  });

  test('each port and each family is a unit of its own', () => {
    const ports = [portOf('http', 80), portOf('dns', 53, { protocol: 'UDP' })];
    expect(keysOf({ clusterIPs: ['10.96.0.10', 'fd00:96::a'], ports })).toEqual([
      'default/web:http/TCP/IPv4',
      'default/web:dns/UDP/IPv4',
      'default/web:http/TCP/IPv6',
      'default/web:dns/UDP/IPv6',
    ]);
  });

  test('one port name with two protocols is two units, and a port needs no name', () => {
    expect(keysOf({ ports: [portOf('', 53), portOf('', 53, { protocol: 'UDP' })] })).toEqual([
      'default/web:/TCP/IPv4',
      'default/web:/UDP/IPv4',
    ]);
    expect(printed({ ports: [portOf('', 53)] })).toEqual(['svc default/web 10.96.0.10:53/TCP backends=0 no-endpoints']);
  });

  test('a node port belongs to the unit of its port, in each family', () => {
    const ports = [portOf('http', 80, { nodePort: 30080 }), portOf('admin', 81)];
    expect(printed({ type: 'NodePort', clusterIPs: ['10.96.0.10', 'fd00:96::a'], ports })).toEqual([
      'svc default/web:http 10.96.0.10:80/TCP nodePort=30080 backends=0 no-endpoints',
      'svc default/web:admin 10.96.0.10:81/TCP backends=0 no-endpoints',
      'svc default/web:http [fd00:96::a]:80/TCP nodePort=30080 backends=0 no-endpoints',
      'svc default/web:admin [fd00:96::a]:81/TCP backends=0 no-endpoints',
    ]);
  });

  test('external and load-balancer addresses go to the units of their family', () => {
    const values = { externalIPs: ['192.0.2.1', '2001:db8::1'], loadBalancerVIPs: ['2001:db8::2', '198.51.100.2'] };
    expect(printed({ ...values, clusterIPs: ['10.96.0.10', 'fd00:96::a'] })).toEqual([
      'svc default/web:http 10.96.0.10:80/TCP externalIPs=192.0.2.1 loadBalancerVIPs=198.51.100.2 backends=0 no-endpoints',
      'svc default/web:http [fd00:96::a]:80/TCP externalIPs=2001:db8::1 loadBalancerVIPs=2001:db8::2 backends=0 no-endpoints',
    ]);
  });

  test('source ranges go to the units of their family; a family without any is open to everybody', () => {
    const values = { loadBalancerVIPs: ['198.51.100.2', '2001:db8::2'], clusterIPs: ['10.96.0.10', 'fd00:96::a'] };
    const ranges = (loadBalancerSourceRanges: string[]): (readonly string[])[] =>
      unitsOf(stateOf(serviceOf({ ...values, loadBalancerSourceRanges }))).map(({ sourceRanges }) => sourceRanges);
    expect(ranges(['203.0.113.0/24', 'fd00::/8', '10.0.0.0/8'])).toEqual([['203.0.113.0/24', '10.0.0.0/8'], ['fd00::/8']]);
    expect(ranges(['203.0.113.0/24'])).toEqual([['203.0.113.0/24'], []]);
  });

  test('a family without a cluster IP has no unit, whatever other addresses it has', () => {
    expect(keysOf({ externalIPs: ['2001:db8::1'] })).toEqual(['default/web:http/TCP/IPv4']);
  });

  test('session affinity is kept', () => {
    expect(printed({ sessionAffinitySeconds: 10_800 })).toEqual([
      'svc default/web:http 10.96.0.10:80/TCP affinity=10800s backends=0 no-endpoints',
    ]);
  });

  test.each<[string, Partial<Service>, string]>([
    ['a ClusterIP Service has none, so Local is no matter', {}, 'Cluster'],
    ['external IPs are reason enough', { externalIPs: ['192.0.2.1'] }, 'Local'],
    ['a NodePort Service', { type: 'NodePort' }, 'Local'],
    ['a LoadBalancer Service', { type: 'LoadBalancer' }, 'Local'],
  ])('externalTrafficPolicy counts where there is external traffic: %s', (_, values, policy) => {
    const [unit] = unitsOf(stateOf(serviceOf({ externalTrafficPolicy: 'Local', ...values })));
    expect(unit?.externalTrafficPolicy).toBe(policy);
  });
});

test('the headless label leaves out slices only: a Service that carries it and has a cluster IP is served (since 1.35)', () => {
  const labels = { 'service.kubernetes.io/headless': '' };
  const state = stateOf(serviceOf({ labels }), sliceOf(['10.244.1.1']));
  expect(unitsOf(state).map(({ clusterEndpoints }) => clusterEndpoints.length)).toEqual([1]);
  state.upsert(sliceOf(['10.244.1.1'], { labels }));
  expect(unitsOf(state).map(({ clusterEndpoints }) => clusterEndpoints.length)).toEqual([0]);
});

describe('Services left alone', () => {
  const left: [string, Partial<Service>][] = [
    ['a headless one', { clusterIPs: [] }],
    ['an ExternalName one', { type: 'ExternalName' }],
    ['one that names another proxy', { labels: { 'service.kubernetes.io/service-proxy-name': 'other' } }],
    ['one that names another proxy by an empty word', { labels: { 'service.kubernetes.io/service-proxy-name': '' } }],
    ['one without ports', { ports: [] }],
  ];

  test.each(left)('%s has no units', (_, values) => {
    expect(keysOf(values)).toEqual([]);
  });

  test.each(left)('a Service that becomes %s loses its units, and gets them back when it turns again', (_, values) => {
    const state = stateOf(serviceOf(), sliceOf(['10.244.1.1']));
    const before = unitsOf(state);
    state.takeChanges();
    state.upsert(serviceOf(values));
    expect(unitsOf(state)).toEqual([]);
    expect([...state.takeChanges().removed]).toEqual(['default/web:http/TCP/IPv4']);
    state.upsert(serviceOf());
    expect(unitsOf(state)).toEqual(before);
  });
});
