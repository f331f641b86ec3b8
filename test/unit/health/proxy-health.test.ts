import { expect, test } from 'vitest';
import { ProxyHealth } from '../../../src/health/proxy-health.ts';

function clocked(syncPeriodMs = 30_000) {
  const clock = { nowMs: 1_000_000 };
  return { clock, health: new ProxyHealth(syncPeriodMs, () => clock.nowMs) };
}

test('before any sync there is nothing to judge: healthy, and no family is listed', () => {
  const { health, clock } = clocked();
  health.queuedUpdate('IPv4');
  clock.nowMs += 3_600_000;
  expect(health.snapshot()).toEqual({ healthy: true, lastUpdatedMs: 0, nowMs: clock.nowMs, families: new Map() });
});

test('a family with nothing waiting is healthy however old its last sync', () => {
  const { health, clock } = clocked();
  health.updated('IPv4');
  clock.nowMs += 86_400_000;
  expect(health.snapshot()).toMatchObject({ healthy: true, lastUpdatedMs: 1_000_000 });
});

test('a change may wait for less than two sync periods', () => {
  const { health, clock } = clocked();
  health.updated('IPv4');
  health.queuedUpdate('IPv4');
  clock.nowMs += 59_999;
  expect(health.snapshot().healthy).toBe(true);
  clock.nowMs += 1;
  expect(health.snapshot().healthy).toBe(false);
});

test('the oldest waiting change counts, and a sync clears it', () => {
  const { health, clock } = clocked();
  health.updated('IPv4');
  health.queuedUpdate('IPv4');
  clock.nowMs += 50_000;
  health.queuedUpdate('IPv4');
  clock.nowMs += 10_000;
  expect(health.snapshot().healthy).toBe(false);
  health.updated('IPv4');
  expect(health.snapshot().healthy).toBe(true);
  health.queuedUpdate('IPv4');
  clock.nowMs += 59_999;
  expect(health.snapshot().healthy).toBe(true);
});

test('one unhealthy family makes the whole unhealthy and is shown as the culprit', () => {
  const { health, clock } = clocked();
  health.updated('IPv4');
  clock.nowMs += 5;
  health.updated('IPv6');
  health.queuedUpdate('IPv4');
  clock.nowMs += 60_000;
  const { healthy, families, lastUpdatedMs } = health.snapshot();
  expect(healthy).toBe(false);
  expect(lastUpdatedMs).toBe(1_000_005);
  expect(families).toEqual(
    new Map([
      ['IPv4', { lastUpdatedMs: 1_000_000, healthy: false }],
      ['IPv6', { lastUpdatedMs: 1_000_005, healthy: true }],
    ]),
  );
});
