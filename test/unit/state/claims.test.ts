import { describe, expect, test } from 'vitest';
import { printServicePort } from '../../../src/state/print.ts';
import { portOf, serviceOf, sliceOf, stateOf, unitsOf } from './objects.ts';

const first = serviceOf({ name: 'first' });
const second = serviceOf({ name: 'second' });
const nodePort = (port: number) => [portOf('http', 80, { nodePort: port })];

const keysOf = (state: ReturnType<typeof stateOf>): string[] => unitsOf(state).map(({ key }) => key);
const linesOf = (state: ReturnType<typeof stateOf>): string[] => unitsOf(state).map(printServicePort);
const FIRST = 'default/first:http/TCP/IPv4';
const SECOND = 'default/second:http/TCP/IPv4';

describe('two Services claim one cluster IP and port', () => {
  test('the one in force keeps it, and the other is told once what it waits for', () => {
    const state = stateOf(first, second);
    expect(keysOf(state)).toEqual([FIRST]);
    expect(state.takeConflicts()).toEqual([
      {
        frontend: '10.96.0.10 80/TCP',
        holder: 'default/first',
        waiting: 'default/second',
        field: 'spec.clusterIP',
        message:
          '10.96.0.10 80/TCP belongs to Service default/first already, which stays in force; ' +
          'port 80/TCP of default/second is left out until that one gives it up',
      },
    ]);
    state.upsert({ ...second, sessionAffinitySeconds: 60 });
    expect(state.takeConflicts()).toEqual([]);
  });

  test('a change of the one in force leaves it in force', () => {
    const state = stateOf(first, second);
    state.upsert({ ...first, sessionAffinitySeconds: 60 });
    expect(linesOf(state)).toEqual(['svc default/first:http 10.96.0.10:80/TCP affinity=60s backends=0 no-endpoints']);
  });

  test.each([
    ['is deleted', undefined],
    ['takes another address', { ...first, clusterIPs: ['10.96.0.99'] }],
    ['becomes headless', { ...first, clusterIPs: [] }],
    ['takes another port', { ...first, ports: [portOf('http', 81)] }],
  ])('the waiting one takes over, with its endpoints, when the other %s', (_, change) => {
    const state = stateOf(first, second, sliceOf(['10.244.1.1'], { serviceName: 'second' }));
    state.takeChanges();
    if (change) state.upsert(change);
    else state.delete('Service', 'default', 'first');
    expect(linesOf(state)).toContain('svc default/second:http 10.96.0.10:80/TCP backends=1');
    expect(state.takeChanges().upserted).toContain(SECOND);
  });

  test('of several that wait the longest waiting one takes over, and the others wait on', () => {
    const state = stateOf(first, second, serviceOf({ name: 'a-third' }));
    state.delete('Service', 'default', 'first');
    expect(keysOf(state)).toEqual([SECOND]);
    state.delete('Service', 'default', 'second');
    expect(keysOf(state)).toEqual(['default/a-third:http/TCP/IPv4']);
  });

  test('one that went while it waited takes nothing over', () => {
    const state = stateOf(first, second);
    state.delete('Service', 'default', 'second');
    state.delete('Service', 'default', 'first');
    expect(keysOf(state)).toEqual([]);
  });

  test('one that comes back after it gave up waits behind', () => {
    const state = stateOf(first, second);
    state.delete('Service', 'default', 'first');
    state.upsert(first);
    expect(keysOf(state)).toEqual([SECOND]);
    expect(state.takeConflicts().map(({ holder }) => holder)).toEqual(['default/first', 'default/second']);
  });

  test('only the port they share is left out of the waiting one', () => {
    const state = stateOf(first, { ...second, ports: [portOf('http', 80), portOf('https', 443)] });
    expect(keysOf(state)).toEqual([FIRST, 'default/second:https/TCP/IPv4']);
  });

  test('another protocol, port or family is no conflict', () => {
    const state = stateOf(
      first,
      serviceOf({ name: 'udp', ports: [portOf('http', 80, { protocol: 'UDP' })] }),
      serviceOf({ name: 'port', ports: [portOf('http', 81)] }),
      serviceOf({ name: 'six', clusterIPs: ['fd00:96::a'] }),
    );
    expect(unitsOf(state)).toHaveLength(4);
    expect(state.takeConflicts()).toEqual([]);
  });

  test('a port may be renamed without a conflict with its own past', () => {
    const state = stateOf(first);
    state.takeChanges();
    state.upsert({ ...first, ports: [portOf('web', 80)] });
    expect(state.takeConflicts()).toEqual([]);
    const { upserted, removed } = state.takeChanges();
    expect([[...upserted], [...removed]]).toEqual([['default/first:web/TCP/IPv4'], [FIRST]]);
  });
});

describe('two Services claim another frontend', () => {
  const other = { name: 'second', clusterIPs: ['10.96.0.11'] };

  test('a node port: the waiting one is programmed without it, and gets it when it is free', () => {
    const state = stateOf({ ...first, type: 'NodePort', ports: nodePort(30080) });
    state.upsert(serviceOf({ ...other, type: 'NodePort', ports: nodePort(30080) }));
    expect(linesOf(state)).toEqual([
      'svc default/first:http 10.96.0.10:80/TCP nodePort=30080 backends=0 no-endpoints',
      'svc default/second:http 10.96.0.11:80/TCP backends=0 no-endpoints',
    ]);
    expect(state.takeConflicts()).toMatchObject([
      { frontend: 'nodePort 30080/TCP/IPv4', waiting: 'default/second', field: 'spec.ports[0].nodePort' },
    ]);
    state.upsert({ ...first, type: 'NodePort', ports: nodePort(30081) });
    expect(linesOf(state)[1]).toBe('svc default/second:http 10.96.0.11:80/TCP nodePort=30080 backends=0 no-endpoints');
  });

  test('an external IP that is the cluster IP of the other', () => {
    const state = stateOf(first, serviceOf({ ...other, externalIPs: ['192.0.2.1', '10.96.0.10'] }));
    expect(linesOf(state)[1]).toBe('svc default/second:http 10.96.0.11:80/TCP externalIPs=192.0.2.1 backends=0 no-endpoints');
    expect(state.takeConflicts()).toMatchObject([{ frontend: '10.96.0.10 80/TCP', field: 'spec.externalIPs[1]' }]);
  });

  test('a load-balancer address', () => {
    const state = stateOf({ ...first, loadBalancerVIPs: ['198.51.100.2'] });
    state.upsert(serviceOf({ ...other, loadBalancerVIPs: ['198.51.100.2'] }));
    expect(state.takeConflicts()).toMatchObject([{ frontend: '198.51.100.2 80/TCP', field: 'status.loadBalancer.ingress' }]);
    expect(linesOf(state)[1]).toBe('svc default/second:http 10.96.0.11:80/TCP backends=0 no-endpoints');
  });

  test('what a Service has twice itself is no conflict', () => {
    const twice = { externalIPs: ['192.0.2.1'], loadBalancerVIPs: ['192.0.2.1'] };
    const state = stateOf({ ...first, ...twice });
    expect(state.takeConflicts()).toEqual([]);
  });

  test('in a dual-stack Service the field names the address of the family', () => {
    const state = stateOf({ ...first, clusterIPs: ['fd00:96::a'] });
    state.upsert(serviceOf({ ...other, clusterIPs: ['10.96.0.11', 'fd00:96::a'] }));
    expect(state.takeConflicts()).toMatchObject([{ frontend: 'fd00:96::a 80/TCP', field: 'spec.clusterIPs[1]' }]);
    expect(keysOf(state)).toEqual(['default/first:http/TCP/IPv6', SECOND]);
  });
});
