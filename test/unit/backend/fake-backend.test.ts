import { beforeEach, describe, expect, test } from 'vitest';
import { FakeBackend } from '../../../src/backend/fake/fake-backend.ts';
import type { Changes, DesiredState, ServicePort } from '../../../src/state/model.ts';
import { endpointOf, unitOf } from './unit-of.ts';

const WEB = unitOf({ clusterEndpoints: [endpointOf('10.244.1.1:8080')], hasEndpoints: true, nodePort: 30_080 });
const DNS = unitOf({
  namespace: 'kube-system',
  name: 'dns',
  portName: '',
  protocol: 'UDP',
  clusterIP: 'fd00:96::a',
  ipFamily: 'IPv6',
});

const desiredOf = (...units: ServicePort[]): DesiredState => ({
  servicePorts: new Map(units.map((unit) => [unit.key, unit])),
  healthChecks: new Map(),
  serviceCIDRs: [],
  node: null,
});
const FULL: Changes = { full: true, upserted: new Set(), removed: new Set() };
const changed = (upserted: ServicePort[], removed: ServicePort[] = []): Changes => ({
  full: false,
  upserted: new Set(upserted.map(({ key }) => key)),
  removed: new Set(removed.map(({ key }) => key)),
});

let backend: FakeBackend;
beforeEach(async () => {
  backend = new FakeBackend();
  await backend.start();
});

describe('the fake backend', () => {
  test('runs everywhere, and has nothing at first', async () => {
    expect([backend.mode, await backend.probe(), backend.dump()]).toEqual(['fake', { ok: true }, '']);
  });

  test('dumps what it would program: one line each unit, sorted', async () => {
    await backend.sync(desiredOf(DNS, WEB), FULL);
    expect(backend.dump()).toBe(
      'svc default/web:http 10.96.0.10:80/TCP nodePort=30080 backends=1\n' +
        'svc kube-system/dns [fd00:96::a]:80/UDP backends=0 no-endpoints\n',
    );
  });

  test('dumps the same text however it came to it', async () => {
    await backend.sync(desiredOf(WEB), changed([WEB]));
    await backend.sync(desiredOf(WEB, DNS), changed([DNS]));
    const other = new FakeBackend();
    await other.sync(desiredOf(DNS, WEB), FULL);
    expect(backend.dump()).toBe(other.dump());
  });

  test('looks only at what changed, unless all is to be compared', async () => {
    await backend.sync(desiredOf(WEB, DNS), changed([DNS]));
    expect(backend.dump()).not.toContain('web');
    await backend.sync(desiredOf(WEB), FULL);
    expect(backend.dump()).toMatch(/^svc default\/web:http .*\n$/);
  });

  test('counts what it wrote and removed', async () => {
    expect(await backend.sync(desiredOf(WEB, DNS), FULL)).toEqual({
      servicePortsWritten: 2,
      servicePortsRemoved: 0,
      failures: [],
    });
    expect(await backend.sync(desiredOf(WEB, DNS), FULL)).toMatchObject({ servicePortsWritten: 0, servicePortsRemoved: 0 });
    const other = { ...WEB, nodePort: 30_081 };
    expect(await backend.sync(desiredOf(other), changed([other], [DNS]))).toMatchObject({
      servicePortsWritten: 1,
      servicePortsRemoved: 1,
    });
    expect(backend.dump()).toBe('svc default/web:http 10.96.0.10:80/TCP nodePort=30081 backends=1\n');
  });

  test('fails as often as it was told to, and changes nothing then', async () => {
    backend.failNext(2);
    for (let i = 0; i < 2; i++) await expect(backend.sync(desiredOf(WEB), FULL)).rejects.toThrow('told to fail');
    expect(backend.dump()).toBe('');
    await backend.sync(desiredOf(WEB), FULL);
    expect(backend.dump()).toContain('web');
  });

  test('keeps what it has when the process ends, and nothing after cleanup', async () => {
    await backend.sync(desiredOf(WEB), FULL);
    await backend.close();
    expect(backend.dump()).toContain('web');
    await backend.cleanup();
    expect(backend.dump()).toBe('');
  });
});
