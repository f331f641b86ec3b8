// Totals are what ended flows left and what live ones hold, and never less than they were.
import { beforeEach, expect, test } from 'vitest';
import { BUSY } from '../../../src/backend/ebpf/flow-states.ts';
import { countSockets, serviceReadings, TrafficTotals } from '../../../src/backend/ebpf/traffic-totals.ts';
import type { Traffic } from '../../../src/cli/traffic.ts';
import { FlowFlag } from '../../../src/datapath/layout.gen.ts';
import { TrafficTables } from './traffic-tables.ts';

let tables: TrafficTables;
let totals: TrafficTotals;
beforeEach(() => {
  tables = new TrafficTables();
  totals = new TrafficTotals();
});
const web = (): Traffic | undefined => totals.read(tables).services.find(({ service }) => service.name === 'web')?.traffic;
const endpoint = (id: number): Traffic | undefined =>
  totals.read(tables, true).backends.find(({ backend }) => backend.id === id)?.traffic;
const COUNTS = { requestPackets: 3n, requestBytes: 300n, replyPackets: 2n, replyBytes: 2000n };

test('ended and live flows are added up, of Services and of endpoints', () => {
  tables.setServiceStats(1, { connections: 10n, rejects: 4n, drops: 5n, requestPackets: 100n, replyBytes: 1n });
  tables.setBackendStats(1, { connections: 6n, requestPackets: 60n });
  tables.setFlow(0, { claim: 5, ...COUNTS });
  tables.setFlow(9, { claim: 6, backendId: 2, ...COUNTS });
  expect(web()).toEqual({
    ...{ connections: 10, active: 2, rejects: 4, drops: 5 },
    ...{ requestPackets: 106, requestBytes: 600, replyPackets: 4, replyBytes: 4001 },
  });
  expect(endpoint(1)).toMatchObject({ connections: 6, active: 1, requestPackets: 63 });
  expect(endpoint(2)).toMatchObject({ connections: 0, active: 1, requestPackets: 3 });
});

test('a flow that is closed counts with what it sent, and is not active', () => {
  const { LB_FLOW_RESET, LB_FLOW_CLIENT_FIN, LB_FLOW_BACKEND_FIN } = FlowFlag;
  for (const [row, flags] of [LB_FLOW_RESET, LB_FLOW_CLIENT_FIN, LB_FLOW_CLIENT_FIN | LB_FLOW_BACKEND_FIN].entries())
    tables.setFlow(row, { flags, ...COUNTS });
  expect(web()).toMatchObject({ active: 1, requestPackets: 9 });
  expect(endpoint(1)).toMatchObject({ active: 1, requestPackets: 9 });
});

test('rows that are free or being filled are no flows', () => {
  tables.setFlow(1, { claim: 0, ...COUNTS });
  tables.setFlow(2, { claim: BUSY, ...COUNTS });
  expect(web()).toMatchObject({ active: 0, requestPackets: 0 });
});

test('counters beyond 32 bits are exact', () => {
  tables.setServiceStats(1, { replyBytes: 2n ** 40n + 1n });
  tables.setFlow(0, { replyBytes: 2n ** 33n + 5n });
  expect(web()?.replyBytes).toBe(2 ** 40 + 2 ** 33 + 6);
});

test('a flow to an endpoint that has left counts for its Service only', () => {
  tables.setFlow(0, { backendGeneration: 3, ...COUNTS });
  expect(web()?.requestPackets).toBe(3);
  expect(endpoint(1)).toMatchObject({ active: 0, requestPackets: 0 });
});

test('open sockets are active, at their endpoint and its Service; fewer than none are none', () => {
  tables.setBackendStats(1, { socketsOpen: 3n });
  tables.setBackendStats(2, { socketsOpen: 2n ** 64n - 1n });
  tables.setFlow(0, {});
  expect(web()?.active).toBe(4);
  expect(endpoint(1)?.active).toBe(4);
  expect(endpoint(2)?.active).toBe(0);
  expect(countSockets(tables, ({ name }) => name === 'web')).toBe(3);
  expect(countSockets(tables, ({ name }) => name === 'api')).toBe(0);
});

test('nothing is less than it was while a flow is between its row and the statistics', () => {
  tables.setFlow(0, COUNTS);
  expect(web()?.requestBytes).toBe(300);
  tables.setFlow(0, { claim: BUSY, ...COUNTS });
  expect(web()?.requestBytes).toBe(300);
  tables.setServiceStats(1, COUNTS);
  tables.setFlow(0, { claim: 0, ...COUNTS });
  expect(web()?.requestBytes).toBe(300);
  tables.setServiceStats(1, { ...COUNTS, requestBytes: 301n });
  expect(web()?.requestBytes).toBe(301);
});

test('endpoints are read only when they are asked for', () => {
  expect(totals.read(tables).backends).toEqual([]);
  expect(totals.read(tables, true).backends).toHaveLength(2);
});

test('metrics name a port by its number where it has no name', () => {
  tables.setServiceStats(1, { connections: 2n, requestPackets: 1n, replyPackets: 2n });
  const readings = serviceReadings(totals.read(tables));
  expect(readings.map(({ service, port }) => `${service}:${port}`)).toEqual(['web:http', 'api:80']);
  expect(readings[0]).toMatchObject({ namespace: 'default', connections: 2, packets: 3 });
});

test("the canary's numbers are nobody's", () => {
  tables.setServiceStats(3, { connections: 5n });
  tables.setBackendStats(3, { connections: 5n, socketsOpen: 2n });
  tables.setFlow(0, { serviceId: 3, backendId: 3, ...COUNTS });
  const { services, backends } = totals.read(tables, true);
  expect(services.map(({ service }) => service.name)).toEqual(['web', 'api']);
  expect(backends.map(({ backend }) => backend.id)).toEqual([1, 2]);
  expect(countSockets(tables, () => true)).toBe(0);
});
