import { describe, expect, test } from 'vitest';
import type { ClusterState } from '../../../src/state/cluster-state.ts';
import type { Service, SliceEndpoint } from '../../../src/state/model.ts';
import { NODE, podOf, portOf, serviceOf, sliceOf, stateOf } from './objects.ts';

const local = (address: string, values: Partial<SliceEndpoint> = {}): SliceEndpoint =>
  podOf(address, { nodeName: NODE, ...values });
const loadBalancer = (values: Partial<Service> = {}): Service =>
  serviceOf({ type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 32_000, ...values });
const checksOf = (state: ClusterState) => [...state.desired().healthChecks.values()];
const countOf = (...objects: Parameters<typeof stateOf>) => checksOf(stateOf(...objects))[0]?.localReadyEndpoints;

describe('a health-check node port', () => {
  test('tells how many ready endpoints are on this node', () => {
    const slice = sliceOf([local('10.244.0.1'), local('10.244.0.2'), '10.244.1.1']);
    expect(checksOf(stateOf(loadBalancer(), slice))).toEqual([
      { namespace: 'default', name: 'web', port: 32_000, localReadyEndpoints: { IPv4: 2, IPv6: null } },
    ]);
  });

  test.each<[string, Partial<Service>]>([
    ['a Service of another type', { type: 'NodePort' }],
    ['externalTrafficPolicy Cluster', { externalTrafficPolicy: 'Cluster' }],
    ['no such port', { healthCheckNodePort: 0 }],
    ['a Service that names another proxy', { labels: { 'service.kubernetes.io/service-proxy-name': 'x' } }],
    ['a Service without ports', { ports: [] }],
    ['a headless Service', { clusterIPs: [] }],
  ])('is not there with %s', (_, values) => {
    expect(checksOf(stateOf(loadBalancer(values), sliceOf([local('10.244.0.1')])))).toEqual([]);
  });

  test('does not count what terminates or is not ready, though traffic may still go there', () => {
    const draining = { ready: false, terminating: true };
    expect(countOf(loadBalancer(), sliceOf([local('10.244.0.1', draining)]))?.IPv4).toBe(0);
    expect(countOf(loadBalancer(), sliceOf([local('10.244.0.1', { ready: false })]))?.IPv4).toBe(0);
    expect(countOf(loadBalancer())?.IPv4).toBe(0);
  });

  test('counts an address once, over ports and slices, and one whose port no Service port names', () => {
    const ports = [
      { name: 'http', protocol: 'TCP', port: 8080 },
      { name: 'metrics', protocol: 'TCP', port: 9090 },
    ] as const;
    const other = sliceOf([local('10.244.0.9')], { name: 'web-2', ports: ports.slice(1) });
    const service = loadBalancer({ ports: [portOf('http', 80)] });
    expect(countOf(service, sliceOf([local('10.244.0.1')], { ports }), other)?.IPv4).toBe(2);
  });

  test('counts each family on its own', () => {
    const service = loadBalancer({ clusterIPs: ['10.96.0.10', 'fd00:96::a'] });
    const v6 = sliceOf([local('fd00::1'), local('fd00::2')], { name: 'web-6', ipFamily: 'IPv6' });
    expect(countOf(service, sliceOf([local('10.244.0.1')]), v6)).toEqual({ IPv4: 1, IPv6: 2 });
  });

  test('is told as changed only when it or its count changed', () => {
    const state = stateOf(loadBalancer(), sliceOf([local('10.244.0.1')]), serviceOf({ name: 'api', clusterIPs: ['10.96.0.11'] }));
    expect([...state.takeChanges().healthChecks]).toEqual(['default/web']);
    state.upsert(sliceOf([local('10.244.0.1'), '10.244.1.1']));
    expect([...state.takeChanges().healthChecks]).toEqual([]);
    state.upsert(sliceOf(['10.244.1.1']));
    const counted = state.takeChanges();
    expect([...counted.healthChecks]).toEqual(['default/web']);
    state.restoreChanges(counted);
    expect([...state.takeChanges().healthChecks]).toEqual(['default/web']);
    state.delete('Service', 'default', 'web');
    expect([...state.takeChanges().healthChecks]).toEqual(['default/web']);
    expect(checksOf(state)).toEqual([]);
  });
});
