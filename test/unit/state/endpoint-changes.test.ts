import { describe, expect, test } from 'vitest';
import { ClusterState } from '../../../src/state/cluster-state.ts';
import { isUdpCleanupDue } from '../../../src/state/endpoint-changes.ts';
import type { EndpointSlice, SliceEndpoint } from '../../../src/state/model.ts';
import { NODE, podOf, portOf, serviceOf, sliceOf } from './objects.ts';

const STARTED_MS = 1000;

function stateOf(...objects: Parameters<ClusterState['upsert']>[0][]): ClusterState {
  const state = new ClusterState(NODE, { startedAtMs: STARTED_MS });
  for (const object of objects) state.upsert(object);
  return state;
}
const at = (lastChangeTriggerMs: number, address: string, values: Partial<EndpointSlice> = {}): EndpointSlice =>
  sliceOf([address], { lastChangeTriggerMs, ...values });
const timesIn = (state: ClusterState): [string, readonly number[]][] =>
  [...state.takeChanges().endpoints].map(([serviceKey, { triggerTimesMs }]) => [serviceKey, triggerTimesMs]);

describe('when changes of endpoints were triggered', () => {
  test('each changed slice adds the time that it tells, Service by Service', () => {
    const state = stateOf(at(2000, '10.244.1.1'), at(3000, '10.244.1.2', { name: 'web-2' }));
    state.upsert(at(2500, '10.244.1.3', { name: 'api-1', serviceName: 'api' }));
    state.upsert(at(4000, '10.244.1.4'));
    expect(timesIn(state)).toEqual([
      ['default/web', [2000, 3000, 4000]],
      ['default/api', [2500]],
    ]);
    expect(timesIn(state)).toEqual([]);
  });

  test('a slice that tells none, or one from before the start, is a change without a time', () => {
    expect(timesIn(stateOf(sliceOf(['10.244.1.1'])))).toEqual([['default/web', []]]);
    expect(timesIn(stateOf(at(STARTED_MS, '10.244.1.1')))).toEqual([['default/web', []]]);
  });

  test('a slice with equal content is no change; one with a new time only is', () => {
    const state = stateOf(at(2000, '10.244.1.1'));
    state.takeChanges();
    state.upsert(at(2000, '10.244.1.1'));
    expect(state.hasChanges).toBe(false);
    state.upsert(at(3000, '10.244.1.1'));
    expect(timesIn(state)).toEqual([['default/web', [3000]]]);
  });

  test.each<[string, (state: ClusterState) => void]>([
    ['is deleted', (state) => state.delete('EndpointSlice', 'default', 'web-1')],
    ['goes to another Service', (state) => state.upsert(at(2000, '10.244.1.1', { serviceName: 'api' }))],
    [
      'gets the headless label',
      (state) => state.upsert(at(2000, '10.244.1.1', { labels: { 'service.kubernetes.io/headless': '' } })),
    ],
  ])('times from before are forgotten when a slice %s', (_, remove) => {
    const state = stateOf(at(2000, '10.244.1.1'), at(3000, '10.244.1.2', { name: 'web-2' }));
    remove(state);
    expect(new Map(timesIn(state)).get('default/web')).toEqual([]);
  });

  test('after a failed pass they are told again, before those that came since', () => {
    const state = stateOf(at(2000, '10.244.1.1'));
    const taken = state.takeChanges();
    state.upsert(at(3000, '10.244.1.2'));
    state.restoreChanges(taken);
    expect(timesIn(state)).toEqual([['default/web', [2000, 3000]]]);
  });

  test('but not when a slice was deleted since', () => {
    const state = stateOf(at(2000, '10.244.1.1'));
    const taken = state.takeChanges();
    state.delete('EndpointSlice', 'default', 'web-1');
    state.upsert(at(3000, '10.244.1.2'));
    state.restoreChanges(taken);
    expect(timesIn(state)).toEqual([['default/web', [3000]]]);
  });
});

describe('flows of UDP may lead to endpoints that are gone', () => {
  const ports = [portOf('dns', 53, { protocol: 'UDP' }), portOf('http', 80)];
  const slicePorts = [
    { name: 'dns', protocol: 'UDP', port: 5353 },
    { name: 'http', protocol: 'TCP', port: 8080 },
  ] as const;
  const pods = (...endpoints: (string | SliceEndpoint)[]): EndpointSlice => sliceOf(endpoints, { ports: slicePorts });
  const dueAfter = (change: (state: ClusterState) => void): boolean => {
    const state = stateOf(serviceOf({ ports }), pods('10.244.1.1', '10.244.1.2'));
    state.takeChanges();
    change(state);
    return isUdpCleanupDue(state.takeChanges());
  };

  test.each<[string, (state: ClusterState) => void, boolean]>([
    ['an endpoint goes', (state) => state.upsert(pods('10.244.1.1')), true],
    ['an endpoint comes', (state) => state.upsert(pods('10.244.1.1', '10.244.1.2', '10.244.1.3')), true],
    ['all go', (state) => state.delete('EndpointSlice', 'default', 'web-1'), true],
    [
      'one stops serving',
      (state) => state.upsert(pods('10.244.1.1', podOf('10.244.1.2', { ready: false, serving: false }))),
      true,
    ],
    ['nothing changes', (state) => state.upsert(pods('10.244.1.1', '10.244.1.2')), false],
    ['only the Service changes', (state) => state.upsert(serviceOf({ ports, sessionAffinitySeconds: 60 })), false],
    [
      'only TCP endpoints change',
      (state) => state.upsert(sliceOf(['10.244.1.9'], { name: 'web-2', ports: slicePorts.slice(1) })),
      false,
    ],
  ])('when %s', (_, change, isDue) => {
    expect(dueAfter(change)).toBe(isDue);
  });
});
