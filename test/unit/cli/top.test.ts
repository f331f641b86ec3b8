// What `turnout top` makes of two samples, and how it asks for them.
import { describe, expect, test } from 'vitest';
import { parseArguments } from '../../../src/cli/arguments.ts';
import type { TopOptions } from '../../../src/cli/commands/top.ts';
import { type TopView, topJson, topLines } from '../../../src/cli/top-table.ts';
import { sortTraffic, type Traffic, type TrafficOwner, type TrafficRow, trafficRows } from '../../../src/cli/traffic.ts';
import { TurnoutError } from '../../../src/errors.ts';
import { parseIp } from '../../../src/state/ip.ts';

const WEB = { namespace: 'default', name: 'web', portName: 'http', port: 80 };
const DNS = { namespace: 'kube-system', name: 'dns', portName: '', port: 53 };
const NONE: Traffic = {
  ...{ connections: 0, active: 0, rejects: 0, drops: 0 },
  ...{ requestPackets: 0, requestBytes: 0, replyPackets: 0, replyBytes: 0 },
};
const owner = (key: string, traffic: Partial<Traffic>, more: Partial<TrafficOwner> = {}): TrafficOwner => ({
  ...{ key, service: WEB, protocol: 'TCP', backend: null, traffic: { ...NONE, ...traffic } },
  ...more,
});
const rowsOf = (before: readonly TrafficOwner[], after: readonly TrafficOwner[], seconds = 2): TrafficRow[] =>
  trafficRows({ timeMs: 1000, owners: before }, { timeMs: 1000 + seconds * 1000, owners: after });

describe('rates', () => {
  test('are differences by the time between, both ways together', () => {
    const [row] = rowsOf(
      [
        owner('1', {
          connections: 10,
          requestPackets: 5,
          replyPackets: 5,
          requestBytes: 100,
          replyBytes: 900,
          rejects: 3,
          drops: 1,
        }),
      ],
      [
        owner('1', {
          connections: 30,
          active: 4,
          requestPackets: 15,
          replyPackets: 25,
          requestBytes: 300,
          replyBytes: 1900,
          rejects: 9,
          drops: 2,
        }),
      ],
    );
    expect(row?.rates).toEqual({ connections: 10, packets: 15, bytes: 600, rejects: 3, drops: 0.5 });
    expect(row?.traffic).toMatchObject({ connections: 30, active: 4, requestBytes: 300 });
  });

  test('are never negative', () => {
    const [row] = rowsOf(
      [owner('1', { connections: 10, requestBytes: 500 })],
      [owner('1', { connections: 9, requestBytes: 400 })],
    );
    expect(row?.rates).toMatchObject({ connections: 0, bytes: 0 });
  });

  test('of who is new start at zero, and who has gone is left out', () => {
    const rows = rowsOf([owner('gone', { connections: 5 })], [owner('new', { connections: 8 })]);
    expect(rows.map(({ rates }) => rates.connections)).toEqual([4]);
  });

  test('of an id that was given to another Service are not differences of two Services', () => {
    const rows = rowsOf(
      [owner('1 default/web', { connections: 100 })],
      [owner('1 kube-system/dns', { connections: 4 }, { service: DNS })],
    );
    expect(rows[0]?.rates.connections).toBe(2);
  });

  test('two samples at once are no division by zero', () => {
    expect(rowsOf([owner('1', {})], [owner('1', { connections: 1 })], 0)[0]?.rates.connections).toBe(1000);
  });

  test('both families of a Service port are one row, two protocols are two', () => {
    const after = [
      owner('v4', { connections: 2, active: 1 }),
      owner('v6', { connections: 4, active: 2 }),
      owner('udp', { connections: 8 }, { protocol: 'UDP' }),
    ];
    const rows = rowsOf([], after);
    expect(rows.map(({ protocol, rates, traffic }) => [protocol, rates.connections, traffic.active])).toEqual([
      ['TCP', 3, 3],
      ['UDP', 4, 0],
    ]);
  });

  test('endpoints are rows of their own', () => {
    const backend = (port: number): Partial<TrafficOwner> => ({
      backend: { address: parseIp('10.0.0.1') ?? new Uint8Array(16), port },
    });
    expect(rowsOf([], [owner('a', {}, backend(1)), owner('b', {}, backend(2))])).toHaveLength(2);
  });
});

test('rows are sorted by what is asked, then by connections and name, so that equal ones stay', () => {
  const rows = rowsOf(
    [owner('a', { connections: 90 }), owner('b', {}, { service: DNS })],
    [
      owner('a', { connections: 100, active: 1, drops: 1 }),
      owner('b', { connections: 20, active: 9, rejects: 5, replyPackets: 7 }, { service: DNS }),
      owner('c', {}, { protocol: 'UDP' }),
      owner('d', {}, { service: { ...WEB, name: 'api' } }),
    ],
  );
  const order = (by: Parameters<typeof sortTraffic>[1]): string =>
    sortTraffic(rows, by)
      .map(({ service, protocol }) => (protocol === 'UDP' ? 'udp' : service?.name))
      .join();
  expect(order('rate')).toBe('dns,web,api,udp');
  expect(order('connections')).toBe('web,dns,api,udp');
  expect(order('active')).toBe('dns,web,api,udp');
  expect(order('packets')).toBe('dns,web,api,udp');
  expect(order('rejects')).toBe('dns,web,api,udp');
  expect(order('drops')).toBe('web,dns,api,udp');
});

const VIEW: TopView = {
  timeMs: Date.parse('2026-11-21T08:15:00Z'),
  intervalSeconds: 2,
  what: 'services',
  by: 'rate',
  rows: rowsOf(
    [owner('1', {}), owner('2', {}, { service: DNS, protocol: 'UDP' })],
    [
      owner('1', { connections: 2500, active: 12, requestPackets: 9000, replyBytes: 5_000_000, rejects: 1 }),
      owner('2', { connections: 1 }, { service: DNS, protocol: 'UDP' }),
    ],
  ),
  limit: null,
};

describe('the table', () => {
  test('has rates, what is active, and totals', () => {
    const [head, blank, ...table] = topLines(VIEW);
    expect(head).toMatch(
      /^\d\d:\d\d:\d\d {2}2 Services by connections a second; all: 1\.3k connections\/s, 12 active, 2\.4Mi octets\/s$/,
    );
    expect(blank).toBe('');
    expect(table).toEqual([
      'SERVICE             PROTOCOL  CONN/S  ACTIVE  PACKETS/S  BYTES/S  REJECTS/S  DROPS/S  CONNECTIONS  BYTES',
      'default/web:http    TCP         1.3k      12       4.5k    2.4Mi        0.5        0         2.5k  4.8Mi',
      'kube-system/dns:53  UDP          0.5       0          0        0          0        0            1      0',
    ]);
  });

  test('fits a number of rows and says how many are left out', () => {
    expect(topLines({ ...VIEW, limit: 1 }).slice(3)).toEqual([expect.stringContaining('default/web:http'), '... and 1 more']);
    expect(topLines({ ...VIEW, limit: -3 }).slice(3)).toEqual(['... and 2 more']);
  });

  test('of endpoints has no column for what had none', () => {
    const backend = { address: parseIp('fd00::1') ?? new Uint8Array(16), port: 8080 };
    const rows = rowsOf([], [owner('1', { connections: 2 }, { backend })]);
    expect(topLines({ ...VIEW, what: 'backends', rows }).slice(2)).toEqual([
      'SERVICE           BACKEND         PROTOCOL  CONN/S  ACTIVE  PACKETS/S  BYTES/S  CONNECTIONS  BYTES',
      'default/web:http  [fd00::1]:8080  TCP            1       0          0        0            2      0',
    ]);
  });

  test('has no rates after one look', () => {
    expect(topLines({ ...VIEW, intervalSeconds: null })[3]).toMatch(/TCP +- +12 +- +- +- +- +2\.5k/);
  });

  test('says so when nobody is there', () => {
    expect(topLines({ ...VIEW, rows: [] }).at(-1)).toBe('No Service of this name is programmed.');
  });
});

test('JSON is one line of raw numbers', () => {
  const text = topJson(VIEW);
  expect(text.trimEnd()).not.toContain('\n');
  const { time, intervalSeconds, services } = JSON.parse(text) as { time: string; intervalSeconds: number; services: object[] };
  expect([time, intervalSeconds]).toEqual(['2026-11-21T08:15:00.000Z', 2]);
  expect(services[0]).toEqual({
    namespace: 'default',
    name: 'web',
    portName: 'http',
    port: 80,
    protocol: 'TCP',
    perSecond: { connections: 1250, packets: 4500, bytes: 2_500_000, rejects: 0.5, drops: 0 },
    active: 12,
    totals: {
      ...{ connections: 2500, rejects: 1, drops: 0 },
      ...{ requestPackets: 9000, requestBytes: 0, replyPackets: 0, replyBytes: 5_000_000 },
    },
  });
});

describe('the command line', () => {
  function options(...argv: string[]): TopOptions {
    const command = parseArguments(['top', ...argv], { version: '1', hostname: 'n', capabilities: ~0n });
    if (command.kind !== 'top') throw new Error(`got ${command.kind}`);
    return command.options;
  }

  test('defaults', () => {
    expect(options()).toEqual({
      ...{
        by: 'rate',
        what: 'services',
        intervalMs: 2000,
        once: false,
        output: 'table',
        limit: null,
        services: [],
        backends: [],
      },
    });
  });

  test('everything can be asked for', () => {
    const asked = options(
      '--by=bytes',
      '--backends',
      '--interval=500ms',
      '--once',
      '-o',
      'json',
      '--limit=5',
      '--backend=10.0.0.0/8',
    );
    expect(asked).toMatchObject({ by: 'bytes', what: 'backends', intervalMs: 500, once: true, output: 'json', limit: 5 });
    expect(asked.backends).toHaveLength(1);
  });

  test.each([
    [['--interval=10ms'], '--interval: "10ms" must be a duration of at least 100ms'],
    [['--interval=2'], 'must be a duration'],
    [['--by=size'], '--by: "size" must be rate, connections,'],
    [['--services', '--backends'], 'exclude each other'],
    [['--backends', '--by=drops'], '--by=drops does not go with --backends'],
    [['--backend=10.0.0.1'], '--backend goes with --backends only'],
  ])('%j is refused', (argv, message) => {
    expect(() => options(...argv)).toThrow(TurnoutError);
    expect(() => options(...argv)).toThrow(message);
  });
});
