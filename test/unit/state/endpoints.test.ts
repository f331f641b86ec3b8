import { describe, expect, test } from 'vitest';
import type { Service, SliceEndpoint } from '../../../src/state/model.ts';
import { printEndpoint } from '../../../src/state/print.ts';
import { NODE, podOf, portOf, serviceOf, sliceOf, stateOf, unitIn } from './objects.ts';

const KEY = 'web:http/TCP/IPv4';
const draining = (address: string, values: Partial<SliceEndpoint> = {}): SliceEndpoint =>
  podOf(address, { ready: false, terminating: true, ...values });
const here = { nodeName: NODE };

/** The lists of default/web:http with these pods. */
function lists(pods: readonly (string | SliceEndpoint)[], values: Partial<Service> = {}) {
  const unit = unitIn(stateOf(serviceOf(values), sliceOf(pods)), KEY);
  return {
    cluster: unit.clusterEndpoints.map(printEndpoint),
    local: unit.localEndpoints.map(printEndpoint),
    hasEndpoints: unit.hasEndpoints,
  };
}

/** The cluster list of a unit, slices given. */
function clusterOf(key: string, ...objects: Parameters<typeof stateOf>): string[] {
  return unitIn(stateOf(...objects), key).clusterEndpoints.map(printEndpoint);
}

describe('slices of one Service', () => {
  test('are merged, each address and port once, sorted as text', () => {
    const second = sliceOf(['10.244.1.2', '10.244.1.1'], { name: 'web-2' });
    expect(clusterOf(KEY, serviceOf(), sliceOf(['10.244.1.10', '10.244.1.2']), second)).toEqual([
      '10.244.1.10:8080',
      '10.244.1.1:8080',
      '10.244.1.2:8080',
    ]);
  });

  test('may carry different numbers for one port name', () => {
    const second = sliceOf(['10.244.1.1'], { name: 'web-2', ports: [{ name: 'http', protocol: 'TCP', port: 9090 }] });
    expect(clusterOf(KEY, serviceOf(), sliceOf(['10.244.1.1']), second)).toEqual(['10.244.1.1:8080', '10.244.1.1:9090']);
  });

  test('count only when namespace, label and family are those of the unit', () => {
    const others = [
      sliceOf(['10.244.1.1'], { namespace: 'other' }),
      sliceOf(['10.244.1.2'], { name: 'web-2', serviceName: 'other' }),
      sliceOf(['10.244.1.3'], { name: 'web-3', serviceName: '' }),
      sliceOf(['10.244.1.4'], { name: 'web-4', labels: { 'service.kubernetes.io/headless': '' } }),
      sliceOf(['fd00::5'], { name: 'web-5', ipFamily: 'IPv6' }),
    ];
    expect(clusterOf(KEY, serviceOf(), ...others)).toEqual([]);
  });

  test('may come before their Service', () => {
    expect(clusterOf(KEY, sliceOf(['10.244.1.1']), serviceOf())).toEqual(['10.244.1.1:8080']);
  });

  test('go with their label from one Service to another', () => {
    const api = serviceOf({ name: 'api', clusterIPs: ['10.96.0.11'] });
    const state = stateOf(serviceOf(), api, sliceOf(['10.244.1.1']));
    state.upsert(sliceOf(['10.244.1.1'], { serviceName: 'api' }));
    expect(unitIn(state, KEY).hasEndpoints).toBe(false);
    expect(unitIn(state, 'api:http/TCP/IPv4').hasEndpoints).toBe(true);
  });

  test('give a port its endpoints by name and protocol, never by number', () => {
    const service = serviceOf({ ports: [portOf('http', 80), portOf('', 81), portOf('http', 80, { protocol: 'UDP' })] });
    const ports = [
      { name: 'http', protocol: 'TCP', port: 81 },
      { name: '', protocol: 'TCP', port: 80 },
    ] as const;
    const state = stateOf(service, sliceOf(['10.244.1.1'], { ports }));
    expect(unitIn(state, KEY).clusterEndpoints.map(printEndpoint)).toEqual(['10.244.1.1:81']);
    expect(unitIn(state, 'web:/TCP/IPv4').clusterEndpoints.map(printEndpoint)).toEqual(['10.244.1.1:80']);
    expect(unitIn(state, 'web:http/UDP/IPv4').clusterEndpoints).toEqual([]);
  });

  test.each(['web-0', 'web-2'])('a running pod wins over a terminating one with its address, also from slice %s', (name) => {
    const old = sliceOf([draining('10.244.1.1')], { name });
    expect(clusterOf(KEY, serviceOf(), sliceOf(['10.244.1.1']), old)).toEqual(['10.244.1.1:8080']);
    expect(clusterOf(KEY, serviceOf(), old, sliceOf(['10.244.1.1']))).toEqual(['10.244.1.1:8080']);
  });
});

describe('which endpoints serve', () => {
  test('ready ones; those that are not, or that terminate, are left out', () => {
    const pods = ['10.244.1.1', podOf('10.244.1.2', { ready: false }), draining('10.244.1.3')];
    expect(lists(pods)).toEqual({ cluster: ['10.244.1.1:8080'], local: [], hasEndpoints: true });
  });

  test('where none is ready, those that still serve while they terminate', () => {
    const pods = [podOf('10.244.1.2', { ready: false }), draining('10.244.1.3'), draining('10.244.1.4', { serving: false })];
    expect(lists(pods)).toEqual({ cluster: ['10.244.1.3:8080 not-ready terminating'], local: [], hasEndpoints: true });
  });

  test('none at all when nothing serves', () => {
    const pods = [podOf('10.244.1.2', { ready: false }), draining('10.244.1.3', { serving: false })];
    expect(lists(pods)).toEqual({ cluster: [], local: [], hasEndpoints: false });
  });

  test('the local list falls back on its own', () => {
    const pods = ['10.244.1.1', draining('10.244.0.1', here)];
    expect(
      lists(pods, { type: 'NodePort', externalTrafficPolicy: 'Local', ports: [portOf('http', 80, { nodePort: 30080 })] }),
    ).toEqual({
      cluster: ['10.244.1.1:8080'],
      local: ['10.244.0.1:8080 local not-ready terminating'],
      hasEndpoints: true,
    });
  });

  test('under internalTrafficPolicy Local only local ones, and nothing is left of the cluster list', () => {
    const pods = ['10.244.1.1', podOf('10.244.0.1', here), podOf('10.244.0.2', { nodeName: null })];
    expect(lists(pods, { internalTrafficPolicy: 'Local' })).toEqual({
      cluster: [],
      local: ['10.244.0.1:8080 local'],
      hasEndpoints: true,
    });
  });

  test('elsewhere only: a Local unit has an empty list and still has endpoints, which means drop and not reject', () => {
    expect(lists(['10.244.1.1'], { internalTrafficPolicy: 'Local' })).toEqual({ cluster: [], local: [], hasEndpoints: true });
  });
});

describe('endpoints that linger: they serve, and no new flow is sent to them', () => {
  const lingering = (pods: readonly (string | SliceEndpoint)[], values: Partial<Service> = {}): string[] =>
    unitIn(stateOf(serviceOf(values), sliceOf(pods)), KEY).lingeringEndpoints.map(printEndpoint);

  test('none while every endpoint is in a list, or does not serve', () => {
    expect(lingering(['10.244.1.1', podOf('10.244.0.1', here)])).toEqual([]);
    expect(lingering([draining('10.244.1.1')])).toEqual([]);
    expect(lingering(['10.244.1.1', podOf('10.244.1.2', { ready: false, serving: false })])).toEqual([]);
    expect(lingering(['10.244.1.1', draining('10.244.1.3', { serving: false })])).toEqual([]);
  });

  test('those that terminate while others are ready, sorted', () => {
    const pods = [draining('10.244.1.3'), '10.244.1.4', draining('10.244.1.20')];
    expect(lingering(pods)).toEqual(['10.244.1.20:8080 not-ready terminating', '10.244.1.3:8080 not-ready terminating']);
  });

  test('those that hints leave out', () => {
    expect(lingering([podOf('10.244.1.1', { nodeHints: [NODE] }), podOf('10.244.1.2', { nodeHints: ['node-b'] })])).toEqual([
      '10.244.1.2:8080',
    ]);
  });

  test('those on other nodes, of a unit that is used locally only', () => {
    const pods = ['10.244.1.1', podOf('10.244.0.1', here)];
    expect(lingering(pods, { internalTrafficPolicy: 'Local' })).toEqual(['10.244.1.1:8080']);
    const external = {
      type: 'NodePort',
      externalTrafficPolicy: 'Local',
      ports: [portOf('http', 80, { nodePort: 30080 })],
    } as const;
    expect(lingering(pods, external)).toEqual([]);
  });

  test('those whose serving condition contradicts that they are ready', () => {
    const contradictory = podOf('10.244.1.2', { serving: false });
    expect(lingering(['10.244.1.1', contradictory], { internalTrafficPolicy: 'Local' })).toEqual([
      '10.244.1.1:8080',
      '10.244.1.2:8080 not-serving',
    ]);
  });
});
