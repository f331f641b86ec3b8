// The kernel refuses rows: what was in force stays, and nothing is lost for the next pass.
import { describe, expect, test } from 'vitest';
import { AddressTable } from '../../../src/backend/ebpf/address-table.ts';
import { SourceRangeTable } from '../../../src/backend/ebpf/prefix-table.ts';
import { ServiceProgrammer } from '../../../src/backend/ebpf/service-programmer.ts';
import { writing } from '../../../src/backend/ebpf/table-full.ts';
import { addressOctets } from '../../../src/datapath/address.ts';
import { AddressFlag } from '../../../src/datapath/layout.gen.ts';
import { BpfError } from '../../../src/native/bpf-error.ts';
import type { BpfMap } from '../../../src/native/bpf-map.ts';
import type { ServicePort } from '../../../src/state/model.ts';
import { MemoryTables } from './memory-tables.ts';
import { endpointOf, unitOf } from './unit-of.ts';

const GRACE_MS = 1000;
const refusal = (code: string): BpfError => new BpfError(code, 'map.setBatch', 'refused');

/** Takes `room` more rows, then refuses: a hash that somebody else fills. */
class RefusingTables extends MemoryTables {
  room = Number.POSITIVE_INFINITY;
  override publish(rows: Parameters<MemoryTables['publish']>[0]): void {
    for (const row of rows) {
      if (!this.rows.has(row.key) && --this.room < 0) throw refusal('E2BIG');
      super.publish([row]);
    }
  }
}

const service = (name: string, clusterIP: string, ...endpoints: string[]): ServicePort =>
  unitOf({ name, clusterIP, clusterEndpoints: endpoints.map(endpointOf), hasEndpoints: true });

function programmed(memory: MemoryTables) {
  const clock = { nowMs: 0 };
  const programmer = new ServiceProgrammer(memory.tables, { now: () => clock.nowMs });
  const upsert = (...units: ServicePort[]) => {
    const servicePorts = new Map(units.map((unit) => [unit.key, unit]));
    const desired = { servicePorts, healthChecks: new Map(), serviceCIDRs: [], node: null };
    return programmer.sync(desired, { full: false, upserted: new Set(servicePorts.keys()), removed: new Set() });
  };
  return { clock, programmer, upsert };
}

describe('a pass whose rows are refused', () => {
  const WEB = service('web', '10.96.0.1', '10.244.1.1:80', '10.244.1.2:80');
  const CHANGED = service('web', '10.96.0.1', '10.244.1.3:80');
  const DNS = service('dns', '10.96.0.2', '10.244.2.1:53');
  const NEW = service('new', '10.96.0.3', '10.244.3.1:53');

  test('leaves the lists that were in force, and no row of what is new', () => {
    const memory = new RefusingTables(64, 16);
    const { programmer, upsert } = programmed(memory);
    upsert(WEB);
    memory.room = 1;
    expect(() => upsert(CHANGED, DNS, NEW)).toThrow('refused');
    expect(memory.backendsOf('10.96.0.1:80')).toEqual(['10.244.1.1:80', '10.244.1.2:80']);
    expect([memory.backendsOf('10.96.0.2:80'), memory.backendsOf('10.96.0.3:80')]).toEqual([null, null]);
    expect([programmer.usedFrontends, programmer.usedBackendRows]).toEqual([1, 2]);
    expect([...memory.serviceNames.values()].map(({ name }) => name)).toEqual(['web']);
  });

  test('may be tried for ever: rows and ids are not used up', () => {
    const memory = new RefusingTables(8, 8);
    const { clock, upsert } = programmed(memory);
    upsert(WEB);
    memory.room = 1;
    for (let i = 0; i < 50; i++) {
      expect(() => upsert(CHANGED, DNS, NEW)).toThrow('refused');
      clock.nowMs += GRACE_MS;
      memory.room = 1;
    }
    memory.room = 2;
    expect(upsert(CHANGED, DNS, NEW).failures).toEqual([]);
    expect(memory.backendsOf('10.96.0.1:80')).toEqual(['10.244.1.3:80']);
    expect(memory.backendsOf('10.96.0.3:80')).toEqual(['10.244.3.1:53']);
  });

  test('and cannot be put back either gives nothing out that may be read, until it could', () => {
    const memory = new RefusingTables(8, 8);
    const { clock, programmer, upsert } = programmed(memory);
    upsert(WEB);
    memory.room = 1;
    const { withdraw } = memory;
    memory.withdraw = () => {
      throw refusal('ENOMEM');
    };
    expect(() => upsert(CHANGED, DNS, NEW)).toThrow('(E2BIG)');
    expect(programmer.usedBackendRows).toBe(5);
    memory.withdraw = withdraw;
    clock.nowMs += GRACE_MS;
    expect(upsert().failures).toEqual([]);
    expect(programmer.usedBackendRows).toBe(2);
    expect(memory.backendsOf('10.96.0.2:80')).toBeNull();
  });
});

describe('a refusal', () => {
  const map = (name: string) => ({ name, maxEntries: 64 });

  test.each([
    ['frontends', 'E2BIG', 'ETABLEFULL', 'the table frontends (64 rows) is full', 'raise --ebpf-service-table-size'],
    ['source_ranges', 'ENOSPC', 'ETABLEFULL', 'the table source_ranges (64 rows) is full', 'raise --ebpf-service-table-size'],
    ['devices', 'E2BIG', 'ETABLEFULL', 'the table devices (64 rows) is full', 'its size is fixed; remove what fills it'],
    ['frontends', 'ENOMEM', 'ETABLEMEMORY', 'no memory for a row of the table frontends (64 rows)', 'memory limit'],
  ])('of %s with %s says what to do', (name, errno, code, message, hint) => {
    const write = (): never => {
      throw refusal(errno);
    };
    const error = (() => {
      try {
        return writing(map(name), write);
      } catch (thrown) {
        return thrown as { code: string; message: string; hint: string };
      }
    })();
    expect(error).toMatchObject({ code, message: expect.stringContaining(message), hint: expect.stringContaining(hint) });
  });

  test('for another reason stays what it is', () => {
    expect(() =>
      writing(map('frontends'), () => {
        throw refusal('EPERM');
      }),
    ).toThrow('(EPERM)');
  });

  test('of a source range is known row by row, so that what was let in is shut out again', () => {
    const rows = new Set<string>();
    const map = {
      ...{ name: 'source_ranges', maxEntries: 1 },
      keys: () => [],
      set: (key: Uint8Array) => {
        if (rows.size === 1) throw refusal('ENOSPC');
        rows.add(String(key));
      },
      delete: (key: Uint8Array) => rows.delete(String(key)),
    } as unknown as BpfMap;
    const table = new SourceRangeTable(map);
    expect(() => table.allow(7, ['192.0.2.0/24', '198.51.100.0/24'])).toThrow('is full');
    table.restrict(7, []);
    expect(rows).toEqual(new Set());
  });

  test('of an address is made good by the next pass', () => {
    const rows = new Map<string, number>();
    let isFull = true;
    const map = {
      ...{ name: 'addresses', maxEntries: 1 },
      getBatch: () => ({ count: 0, keys: new Uint8Array(), values: new Uint8Array() }),
      setBatch: (keys: Uint8Array, values: Uint8Array) => {
        if (isFull) throw refusal('E2BIG');
        rows.set(String(keys), values[0] ?? 0);
      },
    } as unknown as BpfMap;
    const table = new AddressTable(map);
    table.add(Buffer.from(addressOctets('10.96.0.1')).toString('latin1'), AddressFlag.LB_ADDRESS_CLUSTER_IP);
    expect(() => table.flush()).toThrow('is full');
    isFull = false;
    table.flush();
    expect([...rows.values()]).toEqual([4]);
  });
});
