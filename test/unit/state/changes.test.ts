import { describe, expect, test } from 'vitest';
import type { ClusterState } from '../../../src/state/cluster-state.ts';
import type { Node } from '../../../src/state/model.ts';
import { NODE, podOf, portOf, serviceOf, sliceOf, stateOf, unitIn } from './objects.ts';

const KEY = 'default/web:http/TCP/IPv4';
const node = (name: string, zone?: string): Node => ({
  kind: 'Node',
  name,
  labels: zone ? { 'topology.kubernetes.io/zone': zone } : {},
  addresses: [],
  podCIDRs: [],
});

function take(state: ClusterState) {
  const { full, upserted, removed } = state.takeChanges();
  return { full, upserted: [...upserted].sort(), removed: [...removed].sort() };
}
const changed = (...upserted: string[]) => ({ full: false, upserted, removed: [] });
const NOTHING = changed();

/** A state whose changes have been taken. */
function settled(...objects: Parameters<typeof stateOf>): ClusterState {
  const state = stateOf(...objects);
  state.takeChanges();
  return state;
}

describe('what changed', () => {
  test('the first look asks for everything, the next one for nothing', () => {
    const state = stateOf();
    expect(state.hasChanges).toBe(true);
    expect(take(state)).toEqual({ full: true, upserted: [], removed: [] });
    expect(state.hasChanges).toBe(false);
    expect(take(state)).toEqual(NOTHING);
  });

  test('an object with equal content is no change', () => {
    const state = settled(serviceOf(), sliceOf(['10.244.1.1']), node(NODE));
    for (const object of [serviceOf(), sliceOf(['10.244.1.1']), node(NODE)]) state.upsert(object);
    expect(state.hasChanges).toBe(false);
  });

  test('what no unit depends on is no change', () => {
    const state = settled(serviceOf());
    state.upsert(serviceOf({ labels: { team: 'a' } }));
    state.upsert(node('another-node', 'zone-1'));
    state.delete('Service', 'default', 'unknown');
    state.delete('EndpointSlice', 'default', 'unknown');
    state.delete('Node', '', 'unknown');
    state.delete('ServiceCIDR', '', 'unknown');
    expect(state.hasChanges).toBe(false);
  });

  test('a unit whose content is equal stays the same value', () => {
    const state = settled(serviceOf(), sliceOf(['10.244.1.1']));
    const before = unitIn(state, 'web:http/TCP/IPv4');
    state.upsert(sliceOf([podOf('10.244.1.1'), podOf('10.244.1.2', { ready: false, serving: false })]));
    expect(unitIn(state, 'web:http/TCP/IPv4')).toBe(before);
    expect(take(state)).toEqual(NOTHING);
  });

  test('a key is upserted or removed, never both', () => {
    const state = settled(serviceOf());
    state.delete('Service', 'default', 'web');
    state.upsert(serviceOf({ sessionAffinitySeconds: 60 }));
    expect(take(state)).toEqual(changed(KEY));
    state.upsert(serviceOf());
    state.delete('Service', 'default', 'web');
    expect(take(state)).toEqual({ full: false, upserted: [], removed: [KEY] });
  });

  test('what went and came back, or came and went, is no change', () => {
    const state = settled(serviceOf());
    const before = unitIn(state, 'web:http/TCP/IPv4');
    state.delete('Service', 'default', 'web');
    state.upsert(serviceOf({ sessionAffinitySeconds: 60 }));
    state.desired();
    state.upsert(serviceOf());
    expect(state.hasChanges).toBe(false);
    expect(unitIn(state, 'web:http/TCP/IPv4')).toBe(before);
    state.upsert(serviceOf({ name: 'api', clusterIPs: ['10.96.0.11'] }));
    state.desired();
    state.delete('Service', 'default', 'api');
    expect(state.hasChanges).toBe(false);
  });

  test('what is pending is counted by Services, their own changes apart from those of their endpoints', () => {
    const state = settled(serviceOf({ ports: [portOf('http', 80), portOf('https', 443)] }));
    state.upsert(serviceOf({ name: 'api', clusterIPs: ['10.96.0.11'] }));
    state.upsert(sliceOf(['10.244.1.1']));
    state.upsert(sliceOf(['10.244.1.2'], { name: 'web-2' }));
    expect(state.pending).toEqual({ services: 2, endpoints: 1 });
    state.delete('Service', 'default', 'api');
    expect(state.pending).toEqual({ services: 1, endpoints: 1 });
    state.takeChanges();
    expect(state.pending).toEqual({ services: 0, endpoints: 0 });
  });

  test('a changed slice asks for a pass, as in kube-proxy, also when no unit shows it', () => {
    const state = settled(serviceOf());
    state.upsert(sliceOf(['10.244.9.1'], { serviceName: 'nobody' }));
    expect(state.hasChanges).toBe(true);
    expect(take(state)).toEqual(NOTHING);
    expect(state.hasChanges).toBe(false);
  });

  test('this node and ServiceCIDRs ask for everything', () => {
    const state = settled();
    state.upsert(node(NODE));
    expect(take(state).full).toBe(true);
    expect(state.desired().node).toEqual(node(NODE));
    state.upsert({ kind: 'ServiceCIDR', name: 'b', cidrs: ['fd00:96::/112', '10.96.0.0/16'] });
    state.upsert({ kind: 'ServiceCIDR', name: 'a', cidrs: ['10.96.0.0/16'] });
    expect(take(state).full).toBe(true);
    expect(state.desired().serviceCIDRs).toEqual(['10.96.0.0/16', 'fd00:96::/112']);
    state.delete('ServiceCIDR', '', 'b');
    state.delete('Node', '', NODE);
    expect(take(state).full).toBe(true);
    expect(state.desired()).toMatchObject({ serviceCIDRs: ['10.96.0.0/16'], node: null });
  });

  test('another zone of this node changes the units whose endpoints are hinted', () => {
    const hinted = sliceOf([podOf('10.244.1.1', { zoneHints: ['zone-1'] }), podOf('10.244.1.2', { zoneHints: ['zone-2'] })]);
    const state = settled(serviceOf(), serviceOf({ name: 'api', clusterIPs: ['10.96.0.11'] }), hinted, node(NODE, 'zone-1'));
    expect(unitIn(state, 'web:http/TCP/IPv4').clusterEndpoints.map(({ ip }) => ip)).toEqual(['10.244.1.1']);
    state.upsert(node(NODE, 'zone-2'));
    expect(take(state).upserted).toEqual([KEY]);
    expect(unitIn(state, 'web:http/TCP/IPv4').clusterEndpoints.map(({ ip }) => ip)).toEqual(['10.244.1.2']);
  });
});

describe('what a change costs', () => {
  const COUNT = 1000;
  const many = Array.from({ length: COUNT }, (_, i) => {
    const name = `web-${i}`;
    const clusterIP = `10.96.${i >> 8}.${i & 255}`;
    return [serviceOf({ name, clusterIPs: [clusterIP] }), sliceOf(['10.244.1.1'], { name, serviceName: name })];
  }).flat();

  test('one changed EndpointSlice among a thousand Services is one upserted key, and every other unit stays the same value', () => {
    const state = settled(...many);
    const before = new Map(state.desired().servicePorts);
    state.upsert(sliceOf(['10.244.1.2'], { name: 'web-500', serviceName: 'web-500' }));
    expect(take(state)).toEqual(changed('default/web-500:http/TCP/IPv4'));
    const { servicePorts } = state.desired();
    expect([...servicePorts].filter(([key, unit]) => unit !== before.get(key)).map(([key]) => key)).toEqual([
      'default/web-500:http/TCP/IPv4',
    ]);
  });

  test('a slice that carries one of two ports changes that one', () => {
    const state = settled(serviceOf({ ports: [portOf('http', 80), portOf('https', 443)] }), sliceOf(['10.244.1.1']));
    state.upsert(sliceOf(['10.244.1.2']));
    expect(take(state)).toEqual(changed(KEY));
  });

  test('a burst that ends where it began is no change', () => {
    const state = settled(serviceOf(), sliceOf(['10.244.1.1']));
    for (let i = 0; i < 100; i++) state.upsert(sliceOf([`10.244.2.${i}`]));
    state.upsert(sliceOf(['10.244.1.1']));
    expect(take(state)).toEqual(NOTHING);
  });
});

describe('changes that could not be applied', () => {
  test('are told again, together with what happened since', () => {
    const state = settled(serviceOf(), serviceOf({ name: 'api', clusterIPs: ['10.96.0.11'] }));
    state.upsert(sliceOf(['10.244.1.1']));
    const taken = state.takeChanges();
    state.delete('Service', 'default', 'api');
    state.restoreChanges(taken);
    expect(take(state)).toEqual({ full: false, upserted: [KEY], removed: ['default/api:http/TCP/IPv4'] });
    expect(state.hasChanges).toBe(false);
  });

  test('follow what has become of a unit meanwhile', () => {
    const state = settled(serviceOf());
    state.upsert(sliceOf(['10.244.1.1']));
    const upserted = state.takeChanges();
    state.delete('Service', 'default', 'web');
    const removed = state.takeChanges();
    state.restoreChanges(upserted);
    expect(take(state)).toEqual({ full: false, upserted: [], removed: [KEY] });
    state.upsert(serviceOf());
    state.takeChanges();
    state.restoreChanges(removed);
    expect(take(state)).toEqual(changed(KEY));
  });

  test('stay changes when the unit is again what it was before them: nobody knows what was written', () => {
    const state = settled(serviceOf());
    state.upsert(serviceOf({ sessionAffinitySeconds: 60 }));
    const taken = state.takeChanges();
    state.upsert(serviceOf());
    state.restoreChanges(taken);
    state.upsert(serviceOf({ sessionAffinitySeconds: 60 }));
    state.upsert(serviceOf());
    expect(take(state)).toEqual(changed(KEY));
  });

  test('ask for everything again when that was asked for', () => {
    const state = stateOf();
    state.restoreChanges(state.takeChanges());
    expect(take(state).full).toBe(true);
  });
});
