import { describe, expect, it } from 'vitest';
import { eventFor, selectorOf } from '../../differential/list-watch.ts';
import { markerInIptables, markerInNftables, markerRows } from '../../differential/marker.ts';
import { type ApiObject, eventsBetween, NO_OBJECTS, type Service } from '../../differential/objects.ts';
import { readOptions, replayCommand } from '../../differential/options.ts';

const nftables = (port: number, targetPort: number): string => `table ip kube-proxy {
	map service-ips {
		elements = { 10.96.0.10 . tcp . 80 comment "x" : goto service-AA-default/s0/tcp/, 10.96.255.1 . tcp . ${port} : goto service-JU-default/marker/tcp/ }
	}
	chain service-JU-default/marker/tcp/ {
		meta l4proto tcp dnat ip to numgen random mod 3 map { 0 : 192.0.2.201 . ${targetPort}, 1 : 192.0.2.202 . ${targetPort}, 2 : 192.0.2.203 . ${targetPort} }
	}
}
table ip6 kube-proxy {
	map service-ips {
		elements = { fd00:96::ff01 . tcp . ${port} : goto service-JU-default/marker/tcp/ }
	}
	chain service-JU-default/marker/tcp/ {
		meta l4proto tcp dnat ip6 to numgen random mod 3 map { 0 : 2001:db8:2::201 . ${targetPort}, 1 : 2001:db8:2::202 . ${targetPort}, 2 : 2001:db8:2::203 . ${targetPort} }
	}
}
`;

const iptables = (port: number, targetPort: number): string =>
  [
    `-A KUBE-SERVICES -d 10.96.255.1/32 -p tcp -m comment --comment "default/marker cluster IP" -m tcp --dport ${port} -j KUBE-SVC-X`,
    `-A KUBE-SEP-A -p tcp -m comment --comment "default/marker" -m tcp -j DNAT --to-destination 192.0.2.202:${targetPort}`,
    `-A KUBE-SERVICES -d fd00:96::ff01/128 -p tcp -m comment --comment "default/marker cluster IP" -m tcp --dport ${port} -j KUBE-SVC-Y`,
    `-A KUBE-SEP-B -p tcp -m comment --comment "default/marker" -m tcp -j DNAT --to-destination [2001:db8:2::202]:${targetPort}`,
  ].join('\n');

describe('the marker', () => {
  it('is read from kube-proxy’s nftables', () => {
    expect(markerInNftables(nftables(1005, 21005))).toEqual(markerRows(5, ''));
    expect(markerInNftables(nftables(1005, 21004))).not.toEqual(markerRows(5, ''));
    expect(markerInNftables('')).toEqual([]);
  });

  it('is read from kube-proxy’s iptables', () => {
    expect(markerInIptables(iptables(1005, 21005))).toEqual(markerRows(5, 'b'));
    expect(markerInIptables(iptables(1004, 21005))).not.toEqual(markerRows(5, 'b'));
    expect(markerInIptables('')).toEqual([]);
  });

  it('tells which zone the node is in', () => {
    expect(markerRows(5, 'a')).not.toEqual(markerRows(5, 'b'));
    expect(markerRows(5, 'd')).toEqual(markerRows(5, ''));
  });
});

describe('list and watch', () => {
  const plain: ApiObject = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a' } };
  const labelled: ApiObject = { ...plain, metadata: { name: 'a', labels: { 'example.com/other': 'x' } } };
  const matches = selectorOf(new URLSearchParams({ labelSelector: '!example.com/other' }));

  it('tells of an object that gets an excluding label as one that is deleted, and back', () => {
    expect(eventFor(matches, undefined, plain)).toBe('ADDED');
    expect(eventFor(matches, plain, plain)).toBe('MODIFIED');
    expect(eventFor(matches, plain, labelled)).toBe('DELETED');
    expect(eventFor(matches, labelled, labelled)).toBe('');
    expect(eventFor(matches, labelled, plain)).toBe('ADDED');
    expect(eventFor(matches, plain, undefined)).toBe('DELETED');
    expect(eventFor(matches, labelled, undefined)).toBe('');
  });

  it('refuses a selector that it does not understand', () => {
    expect(() => selectorOf(new URLSearchParams({ labelSelector: 'a=b' }))).toThrow('a=b');
  });
});

describe('events', () => {
  const service = (name: string, port: number) =>
    ({ metadata: { namespace: 'default', name }, spec: { ports: [{ port }] } }) as unknown as Service;
  const objects = (...services: Service[]) => ({
    ...NO_OBJECTS,
    services: new Map(services.map((one) => [one.metadata.name, one])),
  });

  it('are what differs, deletions first', () => {
    const events = eventsBetween(
      objects(service('a', 1), service('b', 1), service('c', 1)),
      objects(service('b', 2), service('c', 1), service('d', 1)),
    );
    expect(events.map(({ type, object }) => `${type} ${object.metadata.name}`)).toEqual(['delete a', 'set b', 'set d']);
  });

  it('tell of the node’s zone', () => {
    expect(eventsBetween(NO_OBJECTS, { ...NO_OBJECTS, zone: 'a' }).map(({ object }) => object.kind)).toEqual(['Node']);
  });
});

describe('options', () => {
  it('have defaults, and refuse what makes no sense', () => {
    expect(readOptions({}, 42)).toMatchObject({ mode: 'nftables', rounds: 200, seed: 42, only: 0, socketPath: 'tcp' });
    expect(() => readOptions({ MODE: 'ipvs' }, 1)).toThrow('MODE=ipvs');
    expect(() => readOptions({ ROUNDS: 'x' }, 1)).toThrow('ROUNDS=x');
    expect(() => readOptions({ SOCKET_PATH: 'udp' }, 1)).toThrow('SOCKET_PATH=udp');
  });

  it('are repeated in the command that does a round again', () => {
    const env = { FEATURES: '-affinity', SEED: '9' };
    expect(replayCommand(readOptions(env, 1), env, 12)).toBe(
      "make test-differential SEED=9 ROUNDS=12 ONLY=12 SOCKET_PATH=tcp FEATURES='-affinity'",
    );
  });
});
