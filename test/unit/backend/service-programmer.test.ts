import { describe, expect, test } from 'vitest';
import { ServiceProgrammer } from '../../../src/backend/ebpf/service-programmer.ts';
import type { Changes, DesiredState, Endpoint, ServicePort } from '../../../src/state/model.ts';
import { MemoryTables } from './memory-tables.ts';
import { endpointOf, unitOf } from './unit-of.ts';

const GRACE_MS = 1000;

/** A Service by name, ClusterIP and endpoints. */
function service(name: string, clusterIP: string, endpoints: string[], values: Partial<ServicePort> = {}): ServicePort {
  const clusterEndpoints = endpoints.map(endpointOf);
  const localEndpoints = clusterEndpoints.filter(({ isLocal }) => isLocal);
  return unitOf({ name, clusterIP, clusterEndpoints, localEndpoints, hasEndpoints: endpoints.length > 0, ...values });
}

const WEB = service('web', '10.96.0.1', ['10.244.1.1:80', '10.244.1.2:80']);
const DNS = service('dns', '10.96.0.2', ['10.244.2.1:53']);

/** A programmer over tables in memory. upsert() and remove() are passes with those changes only, full() compares all. */
function programmed({
  backendRows = 64,
  serviceIds = 16,
  frontendRows = 64,
  memory = new MemoryTables(backendRows, serviceIds, frontendRows),
} = {}) {
  const clock = { nowMs: 0 };
  const left: string[] = [];
  const onLeft = (protocols: ReadonlySet<string>): void =>
    void left.push(...protocols, ...[...memory.generations.values()].map(String));
  const programmer = new ServiceProgrammer(memory.tables, { now: () => clock.nowMs, onLeft });
  const servicePorts = new Map<string, ServicePort>();
  const desired: DesiredState = { servicePorts, healthChecks: new Map(), serviceCIDRs: [], node: null };
  const sync = (changes: Partial<Changes>) =>
    programmer.sync(desired, { full: false, upserted: new Set(), removed: new Set(), ...changes });
  const set = (units: ServicePort[]): Set<string> => {
    for (const unit of units) servicePorts.set(unit.key, unit);
    return new Set(units.map(({ key }) => key));
  };
  return {
    memory,
    clock,
    left,
    programmer,
    upsert: (...units: ServicePort[]) => sync({ upserted: set(units) }),
    full: (...units: ServicePort[]) => {
      set(units);
      return sync({ full: true });
    },
    remove: (unit: ServicePort) => {
      servicePorts.delete(unit.key);
      return sync({ removed: new Set([unit.key]) });
    },
  };
}

describe('units of our own', () => {
  const CANARY = unitOf({ namespace: '', name: 'canary', clusterIP: '', externalIPs: ['::1'], port: 40_000 });

  test('come with the first full pass, are counted in no report, and can be taken out again alone', () => {
    const { memory, programmer, full } = programmed();
    const keys = (): string[] => [...memory.frontends()].map(({ key }) => key).sort();
    full(WEB);
    const before = keys();
    programmer.setOwnUnits([CANARY]);
    expect(full()).toMatchObject({ servicePortsWritten: 0, servicePortsRemoved: 0, failures: [] });
    expect(keys()).toHaveLength(before.length + 1);
    programmer.withdrawOwn([CANARY]);
    expect(keys()).toEqual(before);
  });
});

describe('a Service', () => {
  test('tells of which protocols endpoints have left, once that is in force', () => {
    const { left, upsert, remove } = programmed();
    const dns = { ...DNS, key: 'default/dns:dns/UDP/IPv4', protocol: 'UDP' as const };
    upsert(WEB, dns);
    expect(left).toEqual([]);
    upsert(service('web', '10.96.0.1', ['10.244.1.2:80', '10.244.1.3:80']));
    expect(left.splice(0)).toEqual(['TCP', '1']);
    remove(dns);
    expect(left).toEqual(['UDP', '1', '1']);
  });

  test('is its frontends with its list of backends and its name', () => {
    const { memory, upsert } = programmed();
    expect(upsert(WEB)).toEqual({ servicePortsWritten: 1, servicePortsRemoved: 0, failures: [] });
    expect(memory.backendsOf('10.96.0.1:80')).toEqual(['10.244.1.1:80', '10.244.1.2:80']);
    expect([...memory.serviceNames.values()]).toEqual([{ namespaceName: 'default', name: 'web', portName: 'http' }]);
  });

  test('that is as it was costs no write', () => {
    const { memory, upsert } = programmed();
    upsert(WEB);
    expect(upsert({ ...WEB })).toMatchObject({ servicePortsWritten: 0 });
    expect(memory.log).toEqual(['publish 10.96.0.1:80']);
  });

  test('has its local endpoints in a list of their own only under a Local policy', () => {
    const { memory, upsert } = programmed();
    const endpoints = ['10.244.1.1:80 local', '10.244.1.2:80'];
    upsert(service('web', '10.96.0.1', endpoints));
    expect(memory.backendsOf('10.96.0.1:80', 'local')).toEqual([]);
    upsert(service('web', '10.96.0.1', endpoints, { externalTrafficPolicy: 'Local' }));
    expect(memory.backendsOf('10.96.0.1:80', 'local')).toEqual(['10.244.1.1:80']);
  });

  test('that is gone leaves no row, no name and no id', () => {
    const { memory, programmer, upsert, remove } = programmed();
    upsert(WEB, DNS);
    expect(remove(WEB)).toEqual({ servicePortsWritten: 0, servicePortsRemoved: 1, failures: [] });
    expect(memory.backendsOf('10.96.0.1:80')).toBeNull();
    expect([...memory.serviceNames.values()].map(({ name }) => name)).toEqual(['dns']);
    expect([programmer.usedFrontends, programmer.usedBackendRows]).toEqual([1, 1]);
  });

  test('whose address moves to another one is never without a row', () => {
    const { memory, upsert } = programmed();
    upsert(service('web', '10.96.0.1', ['10.244.1.1:80'], { externalIPs: ['192.0.2.1'] }));
    memory.log.length = 0;
    upsert(WEB, service('dns', '10.96.0.2', ['10.244.2.1:53'], { externalIPs: ['192.0.2.1'] }));
    expect(memory.log).not.toContain('withdraw 192.0.2.1:80');
    expect(memory.backendsOf('192.0.2.1:80')).toEqual(['10.244.2.1:53']);
  });
});

describe('a list of backends', () => {
  test('is never changed where readers may be: a new one is elsewhere until the grace period is over', () => {
    const { memory, clock, upsert } = programmed({ backendRows: 5 });
    upsert(WEB);
    const before = new Map(memory.backends);
    upsert(service('web', '10.96.0.1', ['10.244.1.2:80', '10.244.1.3:80']));
    for (const [row, backend] of before) expect(memory.backends.get(row)).toEqual(backend);
    clock.nowMs = GRACE_MS;
    upsert(WEB);
    expect(memory.backendsOf('10.96.0.1:80')).toEqual(['10.244.1.1:80', '10.244.1.2:80']);
  });

  test('keeps the ids of endpoints that stay, and tells flows of those that left', () => {
    const { memory, upsert } = programmed();
    const idOf = (port: number): number => [...memory.backends.values()].findLast((each) => each.port === port)?.backendId ?? 0;
    upsert(service('web', '10.96.0.1', ['10.244.1.1:1', '10.244.1.1:2']));
    const [first, second] = [idOf(1), idOf(2)];
    upsert(service('web', '10.96.0.1', ['10.244.1.1:2', '10.244.1.1:3']));
    expect(idOf(2)).toBe(second);
    expect(idOf(3)).not.toBe(first);
    expect([...memory.generations]).toEqual([[first, 1]]);
  });
});

describe('when the table of backends is full', () => {
  const MORE = service('web', '10.96.0.1', ['10.244.1.1:80', '10.244.1.2:80', '10.244.1.3:80']);

  test('that unit fails by name, what it had stays in force, and the others are written', () => {
    const { memory, upsert } = programmed({ backendRows: 5 });
    upsert(WEB);
    const report = upsert(MORE, DNS);
    expect(report).toMatchObject({
      servicePortsWritten: 1,
      failures: [{ key: MORE.key, message: expect.stringContaining('no ') }],
    });
    expect(memory.backendsOf('10.96.0.1:80')).toEqual(['10.244.1.1:80', '10.244.1.2:80']);
    expect(memory.backendsOf('10.96.0.2:80')).toEqual(['10.244.2.1:53']);
  });

  test('rows in use are not given to others, however often it is tried again', () => {
    const { memory, clock, programmer, upsert } = programmed({ backendRows: 5 });
    upsert(WEB);
    for (let i = 0; i < 3; i++) {
      upsert(MORE);
      clock.nowMs += GRACE_MS;
    }
    expect(programmer.usedBackendRows).toBe(2);
    upsert(service('dns', '10.96.0.2', ['10.244.2.1:53', '10.244.2.2:53']));
    expect(memory.backendsOf('10.96.0.1:80')).toEqual(['10.244.1.1:80', '10.244.1.2:80']);
  });

  test('what a failed unit had taken is free again', () => {
    const { memory, clock, programmer, upsert } = programmed({ backendRows: 7, serviceIds: 3 });
    upsert(WEB);
    const local = ['10.244.3.1:80 local', '10.244.3.2:80 local', '10.244.3.3:80 local'];
    const api = service('api', '10.96.0.3', local, { internalTrafficPolicy: 'Local' });
    for (let i = 0; i < 3; i++) {
      expect(upsert(api).failures).toHaveLength(1);
      clock.nowMs += GRACE_MS;
    }
    expect(programmer.usedBackendRows).toBe(2);
    expect([...memory.serviceNames.values()].map(({ name }) => name)).toEqual(['web']);
    expect(upsert({ ...api, internalTrafficPolicy: 'Cluster' }).failures).toEqual([]);
    expect(memory.backendsOf('10.96.0.3:80')).toEqual(['10.244.3.1:80', '10.244.3.2:80', '10.244.3.3:80']);
  });
});

describe('when the table of frontends is full', () => {
  const API = service('api', '10.96.0.3', ['10.244.3.1:80'], { externalIPs: ['192.0.2.3'] });

  test('that unit fails by name and takes nothing, the others are written', () => {
    const { memory, clock, programmer, upsert } = programmed({ frontendRows: 2 });
    for (let i = 0; i < 3; i++) {
      expect(upsert(WEB, API, DNS)).toMatchObject({
        failures: [{ key: API.key, message: 'no room for 2 frontend rows; raise --ebpf-service-table-size' }],
      });
      clock.nowMs += GRACE_MS;
    }
    expect([...memory.rows.values()]).toHaveLength(2);
    expect([programmer.usedFrontends, programmer.usedBackendRows]).toEqual([2, 3]);
    expect([...memory.serviceNames.values()].map(({ name }) => name)).toEqual(['web', 'dns']);
  });

  test('units that are there change as before, and what goes makes room', () => {
    const { memory, upsert, remove } = programmed({ frontendRows: 2 });
    upsert(WEB, DNS);
    expect(upsert(service('web', '10.96.0.1', ['10.244.1.9:80']), API).failures).toMatchObject([{ key: API.key }]);
    expect(memory.backendsOf('10.96.0.1:80')).toEqual(['10.244.1.9:80']);
    remove(WEB);
    remove(DNS);
    expect(upsert(API).failures).toEqual([]);
    expect(memory.backendsOf('192.0.2.3:80')).toEqual(['10.244.3.1:80']);
  });
});

describe('an address that moves while the unit that had it cannot be written', () => {
  const moving = { externalIPs: ['192.0.2.1'] };
  const large = ['10.244.1.1:80', '10.244.1.2:80', '10.244.1.3:80'];

  function moved() {
    const it = programmed({ backendRows: 4 });
    it.upsert(service('web', '10.96.0.1', ['10.244.1.1:80'], moving));
    it.upsert(service('dns', '10.96.0.2', ['10.244.2.1:53'], moving), service('web', '10.96.0.1', large));
    expect(it.memory.backendsOf('192.0.2.1:80')).toEqual(['10.244.2.1:53']);
    it.clock.nowMs += GRACE_MS;
    return it;
  }

  test('stays with the one that has it now', () => {
    const { memory, upsert } = moved();
    expect(upsert(service('web', '10.96.0.1', ['10.244.1.2:80'])).failures).toEqual([]);
    expect(memory.backendsOf('192.0.2.1:80')).toEqual(['10.244.2.1:53']);
  });

  test('comes back when the other one gives it up', () => {
    const { memory, upsert } = moved();
    upsert(service('web', '10.96.0.1', ['10.244.1.1:80'], moving), service('dns', '10.96.0.2', ['10.244.2.1:53']));
    expect(memory.backendsOf('192.0.2.1:80')).toEqual(['10.244.1.1:80']);
  });
});

describe('after a restart', () => {
  test('nothing is written when nothing changed', () => {
    const { memory, upsert } = programmed();
    upsert(WEB, DNS);
    memory.log.length = 0;
    const next = programmed({ memory });
    expect(next.full(WEB, DNS)).toEqual({ servicePortsWritten: 0, servicePortsRemoved: 0, failures: [] });
    expect(memory.log).toEqual([]);
    expect([next.programmer.usedFrontends, next.programmer.usedBackendRows]).toEqual([2, 3]);
  });

  test('what is gone and what belongs to nobody is removed with the first full picture', () => {
    const { memory, upsert } = programmed();
    const api = service('api', '10.96.0.3', []);
    upsert(WEB, DNS, api);
    const [dnsId] = [...memory.serviceNames].find(([, { name }]) => name === 'dns') ?? [0];
    memory.forgetName(dnsId);
    expect(programmed({ memory }).full(WEB)).toMatchObject({ servicePortsWritten: 0, servicePortsRemoved: 1 });
    expect(memory.rows.size).toBe(1);
    expect(memory.backendsOf('10.96.0.1:80')).toEqual(['10.244.1.1:80', '10.244.1.2:80']);
  });

  test('rows half way between two lists lead to their old list until they have the new one', () => {
    const { memory, upsert } = programmed();
    const web = (ip: string) => service('web', '10.96.0.1', [`${ip}:80`, `${ip}:81`], { externalIPs: ['192.0.2.1'] });
    upsert(web('10.244.1.1'));
    const rows = new Map(memory.rows);
    upsert(web('10.244.1.2'));
    const [, second] = memory.rows.keys();
    memory.rows.set(second!, rows.get(second!)!); // killed between the two
    const next = programmed({ memory });
    next.upsert(service('dns', '10.96.0.2', ['10.244.2.1:53', '10.244.2.1:54']));
    expect(memory.backendsOf('192.0.2.1:80')).toEqual(['10.244.1.1:80', '10.244.1.1:81']);
    next.full(web('10.244.1.2'), DNS);
    expect(memory.backendsOf('192.0.2.1:80')).toEqual(['10.244.1.2:80', '10.244.1.2:81']);
  });

  test('a row without a name does not lend its id and list to another Service', () => {
    const { memory, upsert } = programmed();
    upsert(DNS);
    memory.serviceNames.clear();
    programmed({ memory }).upsert(WEB);
    expect(memory.backendsOf('10.96.0.2:80')).toEqual(['10.244.2.1:53']);
  });

  test('a new Service counts from zero, whoever had its id before', () => {
    const { memory, upsert, remove } = programmed();
    upsert(WEB);
    remove(WEB);
    programmed({ memory }).upsert(DNS);
    expect(memory.zeroed.at(-1)).toBe([...memory.serviceNames.keys()][0]);
  });
});

describe('after a restart with smaller tables', () => {
  test('a Service whose id has no row any more gets another one, and its rows lead somewhere all the time', () => {
    const before = programmed({ serviceIds: 64 });
    const many = Array.from({ length: 20 }, (_, i) => service(`s${i}`, `10.96.1.${i}`, ['10.244.1.1:80']));
    before.upsert(...many);
    for (const unit of many) before.remove(unit);
    before.upsert(WEB);
    expect(before.memory.rows.values().next().value?.serviceId).toBe(21);
    const memory = new MemoryTables(64, 16);
    for (const field of ['rows', 'backends', 'generations', 'serviceNames'] as const) {
      for (const [key, value] of before.memory[field]) (memory[field] as Map<unknown, unknown>).set(key, value);
    }
    const after = programmed({ memory });
    expect(memory.backendsOf('10.96.0.1:80')).toEqual(['10.244.1.1:80', '10.244.1.2:80']);
    after.full(WEB);
    expect(memory.log).toEqual(['publish 10.96.0.1:80']);
    expect(memory.rows.values().next().value?.serviceId).toBeLessThan(16);
    expect(memory.backendsOf('10.96.0.1:80')).toEqual(['10.244.1.1:80', '10.244.1.2:80']);
  });
});

describe('what goes with a Service', () => {
  test('its ClusterIP is told as one while any of its ports is there, also by the next process', () => {
    const { memory, upsert, remove } = programmed();
    const https = {
      ...service('web', '10.96.0.1', ['10.244.1.1:443']),
      key: 'default/web:https/TCP/IPv4',
      portName: 'https',
      port: 443,
    };
    upsert(WEB, https, DNS);
    remove(WEB);
    expect(new Set(memory.clusterIPs)).toEqual(new Set(['10.96.0.1', '10.96.0.2']));
    memory.clusterIPs.length = 0; // what a process knows goes with it
    const next = programmed({ memory });
    next.full(https, DNS);
    expect(new Set(memory.clusterIPs)).toEqual(new Set(['10.96.0.1', '10.96.0.2']));
    next.remove(https);
    expect(memory.clusterIPs).toEqual(['10.96.0.2']);
  });

  test('so are its external and load-balancer IPs, as such, and node ports have no address of their own', () => {
    const { memory, upsert, remove } = programmed();
    const unit = { ...WEB, externalIPs: ['203.0.113.1'], loadBalancerVIPs: ['203.0.113.2'], nodePort: 30080 };
    upsert(unit);
    expect(memory.clusterIPs).toEqual([WEB.clusterIP]);
    expect([...memory.externalIPs].sort()).toEqual(['203.0.113.1', '203.0.113.2']);
    remove(unit);
    expect([...memory.clusterIPs, ...memory.externalIPs]).toEqual([]);
  });

  test('its source ranges are in force before its rows ask for them, and go with it', () => {
    const { memory, upsert, remove } = programmed();
    const open = service('web', '10.96.0.1', ['10.244.1.1:80'], { loadBalancerVIPs: ['198.51.100.1'] });
    upsert(open);
    expect(memory.allowed.size).toBe(0);
    upsert({ ...open, sourceRanges: ['192.0.2.0/24'] });
    upsert({ ...open, sourceRanges: ['203.0.113.0/24'] });
    expect([...memory.allowed.values()]).toEqual([new Set(['203.0.113.0/24'])]);
    remove(open);
    expect(memory.allowed.size).toBe(0);
  });

  test('an endpoint that lingers keeps its identity over a restart, and loses it when it serves no more', () => {
    const { memory, upsert } = programmed();
    upsert(WEB);
    const lingering = {
      ...WEB,
      clusterEndpoints: WEB.clusterEndpoints.slice(1),
      lingeringEndpoints: WEB.clusterEndpoints.slice(0, 1),
    };
    upsert(lingering);
    expect([...memory.generations]).toEqual([]);
    const next = programmed({ memory });
    next.full(lingering);
    expect([...memory.generations]).toEqual([]);
    next.upsert({ ...lingering, lingeringEndpoints: [] });
    expect([...memory.generations.values()]).toEqual([1]);
  });

  test('with affinity each endpoint is told which lists have it', () => {
    const { memory, upsert } = programmed();
    const [first, second] = WEB.clusterEndpoints as [Endpoint, Endpoint];
    const unit = { ...WEB, sessionAffinitySeconds: 600, internalTrafficPolicy: 'Local' as const };
    upsert({ ...unit, clusterEndpoints: [first, second], localEndpoints: [second] });
    expect([...memory.lists.values()].sort()).toEqual([1, 3]);
    upsert({ ...unit, clusterEndpoints: [first], localEndpoints: [], lingeringEndpoints: [second] });
    expect([...memory.lists.values()].sort()).toEqual([0, 1]);
  });
});
