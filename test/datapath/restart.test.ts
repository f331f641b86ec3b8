// A process that starts anew takes over what it finds in the tables: it writes nothing where nothing changed.
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { addressText } from '../../src/datapath/address.ts';
import type { ServicePort } from '../../src/state/model.ts';
import { CASES, CLIENT_PORT, endpoint, PORT, segment, servicePort, V4 } from './cluster.ts';
import { Datapath } from './datapath.ts';
import { readPacket } from './packet/read-packet.ts';

const TABLES = ['addresses', 'source_ranges', 'frontends', 'backends', 'backend_states', 'service_names', 'service_stats'];

let datapath: Datapath;
beforeEach(async () => {
  datapath = await Datapath.load();
});
afterEach(() => {
  vi.restoreAllMocks();
  datapath.close();
});

/** All rows of the Services' tables. */
function rows(): Record<string, string[]> {
  const dumped = TABLES.map((name) => {
    const map = datapath.map(name);
    const { count, keys, values } = map.getBatch();
    const row = (i: number): string => `${hex(keys, i, map.keySize)} ${hex(values, i, map.rowSize)}`;
    return [name, Array.from({ length: count }, (_, i) => row(i)).sort()];
  });
  return Object.fromEntries(dumped);
}

const hex = (bytes: Uint8Array, i: number, size: number): string =>
  Buffer.from(bytes.subarray(i * size, (i + 1) * size)).toString('hex');

/** Names of the calls that write rows, as long as the test runs. Stores through mmap are seen by rows(). */
function recordWrites(): string[] {
  const writes: string[] = [];
  for (const name of TABLES) {
    const map = datapath.map(name);
    for (const verb of ['set', 'setBatch', 'delete', 'deleteBatch'] as const) {
      const original = map[verb].bind(map) as (...given: unknown[]) => never;
      vi.spyOn(map, verb).mockImplementation((...given: unknown[]) => {
        writes.push(`${name}.${verb}`);
        return original(...given);
      });
    }
  }
  return writes;
}

const restart = (): void => {
  datapath.restart();
};

const everything = (): ServicePort[] =>
  CASES.flatMap(({ addresses, transport }) => [
    servicePort(addresses, transport, { sessionAffinitySeconds: 10800 }),
    servicePort(addresses, transport, {
      ...{ name: 'local', clusterIP: addresses.stranger, port: 81, nodePort: 30081, externalIPs: [], loadBalancerVIPs: [] },
      externalTrafficPolicy: 'Local',
      clusterEndpoints: [endpoint(addresses.endpoint), endpoint(addresses.pod, 8080, true)],
      localEndpoints: [endpoint(addresses.pod, 8080, true)],
    }),
    servicePort(addresses, transport, {
      ...{ name: 'empty', port: 82, nodePort: 0, externalIPs: [], loadBalancerVIPs: [] },
      clusterEndpoints: [],
    }),
  ]);

describe('after a restart', () => {
  test('nothing is written when nothing changed', () => {
    datapath.program(...everything());
    const before = rows();
    restart();
    const writes = recordWrites();
    const report = datapath.program(...everything());
    expect(report).toEqual({ servicePortsWritten: 0, servicePortsRemoved: 0, failures: [] });
    expect(writes).toEqual([]);
    expect(rows()).toEqual(before);
  });

  test('the same holds after ten changes and ten restarts', () => {
    for (let i = 0; i < 10; i++) {
      datapath.program(...everything().slice(i), servicePort(V4, 'TCP', { name: `added-${i}`, port: 1000 + i, nodePort: 0 }));
      restart();
    }
    datapath.program(...everything());
    restart();
    const before = rows();
    const writes = recordWrites();
    datapath.program(...everything());
    expect(writes).toEqual([]);
    expect(rows()).toEqual(before);
  });

  test('a flow goes on, and its Service translates new ones before the first sync', () => {
    datapath.program(...everything());
    const ask = (flags: string, sourcePort = CLIENT_PORT) =>
      segment('TCP', { source: V4.client, destination: V4.clusterIP, sourcePort, destinationPort: PORT, flags });
    datapath.ingress(ask('S'));
    restart();
    for (const packet of [ask('A'), ask('S', CLIENT_PORT + 1)]) {
      expect(readPacket(datapath.ingress(packet).packet).ip.destination).toBe(V4.endpoint);
    }
  });

  test('one changed Service is the only one that is written', () => {
    datapath.program(...everything());
    restart();
    const writes = recordWrites();
    const [first, ...rest] = everything();
    const report = datapath.program({ ...first!, clusterEndpoints: [endpoint(V4.otherEndpoint)] }, ...rest);
    expect(report).toMatchObject({ servicePortsWritten: 1, servicePortsRemoved: 0 });
    expect(writes).toEqual(['frontends.setBatch']);
  });

  test('a Service that went meanwhile is taken away, with its name and all of its frontends', () => {
    datapath.program(...everything());
    restart();
    const [, ...rest] = everything();
    expect(datapath.program(...rest)).toMatchObject({ servicePortsWritten: 0, servicePortsRemoved: 1 });
    expect(datapath.tables.names().size).toBe(rest.length);
    const left = [...datapath.tables.frontends()].filter(({ frontendKey }) => frontendKey.protocol === 6);
    expect(left.map(({ frontendKey: { address, port } }) => `${addressText(address)} ${port}`)).not.toContain('10.96.0.10 80');
  });

  test('a Service that came meanwhile gets an id and rows that nobody has', () => {
    datapath.program(...everything());
    restart();
    const added = servicePort(V4, 'TCP', {
      name: 'new',
      clusterIP: '10.96.0.99',
      nodePort: 0,
      externalIPs: [],
      loadBalancerVIPs: [],
    });
    expect(datapath.program(...everything(), added)).toMatchObject({ servicePortsWritten: 1 });
    const ids = new Map<number, string>();
    const ranges: number[] = [];
    for (const { frontend } of datapath.tables.frontends()) {
      const lists = JSON.stringify([frontend.cluster, frontend.local]);
      expect(ids.get(frontend.serviceId) ?? lists).toBe(lists);
      if (ids.has(frontend.serviceId)) continue;
      ids.set(frontend.serviceId, lists);
      for (const { base, count } of [frontend.cluster, frontend.local]) for (let i = 0; i < count; i++) ranges.push(base + i);
    }
    expect(ids.size).toBe(everything().length + 1);
    expect(new Set(ranges).size).toBe(ranges.length);
  });

  test('rows that belong to no Service are taken away by the first full sync', () => {
    datapath.program(...everything());
    const [serviceId] = datapath.tables.names().keys();
    datapath.tables.forgetName(serviceId!);
    restart();
    datapath.program();
    expect([...datapath.tables.frontends()]).toEqual([]);
  });
});
