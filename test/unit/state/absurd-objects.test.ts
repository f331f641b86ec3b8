// Objects no API server should hand out, or nobody should make: they are served as far as they make sense.
import { describe, expect, test } from 'vitest';
import { printEndpoint } from '../../../src/state/print.ts';
import { podOf, portOf, serviceOf, sliceOf, stateOf, unitIn, unitsOf } from './objects.ts';

describe('a Service with 1,000 ports', () => {
  const ports = Array.from({ length: 1000 }, (_, i) => portOf(`p${i}`, i + 1, { nodePort: 30_000 + i }));
  const slicePorts = ports.map(({ name, port }) => ({ name, protocol: 'TCP', port: 10_000 + port }) as const);

  test('is 1,000 units, each with the endpoints of its port', () => {
    const state = stateOf(serviceOf({ type: 'NodePort', ports }), sliceOf(['10.244.1.1', '10.244.1.2'], { ports: slicePorts }));
    expect(unitsOf(state)).toHaveLength(1000);
    expect(unitIn(state, 'web:p999/TCP/IPv4').clusterEndpoints.map(printEndpoint)).toEqual([
      '10.244.1.1:11000',
      '10.244.1.2:11000',
    ]);
  });

  test('changes one unit when the endpoints of one port change', () => {
    const state = stateOf(serviceOf({ type: 'NodePort', ports }), sliceOf(['10.244.1.1'], { ports: slicePorts }));
    state.takeChanges();
    state.upsert(sliceOf(['10.244.1.2'], { name: 'web-2', ports: slicePorts.slice(0, 1) }));
    expect([...state.takeChanges().upserted]).toEqual(['default/web:p0/TCP/IPv4']);
  });
});

test('5,000 endpoints of one Service are one unit, whose list follows each of its slices', () => {
  const slices = Array.from({ length: 50 }, (_, s) =>
    sliceOf(
      Array.from({ length: 100 }, (_, i) => `10.244.${s}.${i}`),
      { name: `web-${s}` },
    ),
  );
  const state = stateOf(serviceOf(), ...slices);
  expect(unitIn(state, 'web:http/TCP/IPv4').clusterEndpoints).toHaveLength(5000);
  state.upsert(sliceOf([podOf('10.244.7.0', { ready: false, terminating: true })], { name: 'web-7' }));
  const unit = unitIn(state, 'web:http/TCP/IPv4');
  expect(unit.clusterEndpoints).toHaveLength(4900);
  expect(unit.lingeringEndpoints.map(printEndpoint)).toEqual(['10.244.7.0:8080 not-ready terminating']);
  state.delete('EndpointSlice', 'default', 'web-8');
  expect(unitIn(state, 'web:http/TCP/IPv4').clusterEndpoints).toHaveLength(4800);
});

test('a Service without ports is nothing, and one that loses its ports loses its units', () => {
  const state = stateOf(serviceOf({ ports: [] }), sliceOf(['10.244.1.1']));
  expect(unitsOf(state)).toEqual([]);
  state.upsert(serviceOf());
  expect(unitsOf(state)).toHaveLength(1);
  state.upsert(serviceOf({ ports: [] }));
  expect(unitsOf(state)).toEqual([]);
  expect(state.takeConflicts()).toEqual([]);
});

test('one node port for two Services: the first has it, the other is served on its cluster IP, and that is told', () => {
  const ports = [portOf('http', 80, { nodePort: 30_080 })];
  const state = stateOf(
    serviceOf({ type: 'NodePort', ports }),
    serviceOf({ name: 'api', type: 'NodePort', ports, clusterIPs: ['10.96.0.11'] }),
  );
  expect(unitIn(state, 'web:http/TCP/IPv4').nodePort).toBe(30_080);
  expect(unitIn(state, 'api:http/TCP/IPv4')).toMatchObject({ nodePort: 0, clusterIP: '10.96.0.11' });
  expect(state.takeConflicts()).toMatchObject([
    { frontend: 'nodePort 30080/TCP/IPv4', holder: 'default/web', waiting: 'default/api', field: 'spec.ports[0].nodePort' },
  ]);
});

test('one load-balancer IP for two Services: shared by different ports; for one port the first has it, and that is told', () => {
  const shared = { type: 'LoadBalancer', loadBalancerVIPs: ['198.51.100.1'] } as const;
  const state = stateOf(
    serviceOf(shared),
    serviceOf({ ...shared, name: 'api', clusterIPs: ['10.96.0.11'], ports: [portOf('http', 81)] }),
    serviceOf({ ...shared, name: 'late', clusterIPs: ['10.96.0.12'], loadBalancerSourceRanges: ['203.0.113.0/24'] }),
  );
  expect(unitIn(state, 'web:http/TCP/IPv4').loadBalancerVIPs).toEqual(['198.51.100.1']);
  expect(unitIn(state, 'api:http/TCP/IPv4').loadBalancerVIPs).toEqual(['198.51.100.1']);
  expect(unitIn(state, 'late:http/TCP/IPv4').loadBalancerVIPs).toEqual([]);
  expect(state.takeConflicts()).toMatchObject([
    { frontend: '198.51.100.1 80/TCP', holder: 'default/web', waiting: 'default/late' },
  ]);
});

test('addresses that a Service repeats are served once', () => {
  const repeated = { externalIPs: ['192.0.2.1', '192.0.2.1'], loadBalancerVIPs: ['198.51.100.1', '198.51.100.1'] };
  const [unit] = unitsOf(stateOf(serviceOf({ ...repeated, loadBalancerSourceRanges: ['10.0.0.0/8', '10.0.0.0/8'] })));
  expect(unit).toMatchObject({
    externalIPs: ['192.0.2.1'],
    loadBalancerVIPs: ['198.51.100.1'],
    sourceRanges: ['10.0.0.0/8'],
  });
});
