// What `turnout monitor` selects and prints.
import { describe, expect, test } from 'vitest';
import { parseArguments } from '../../../src/cli/arguments.ts';
import type { MonitorOptions } from '../../../src/cli/commands/monitor.ts';
import {
  eventJson,
  eventLine,
  type MonitorEvent,
  matchesEvent,
  missedJson,
  missedLine,
  reasonLines,
} from '../../../src/cli/monitor-event.ts';
import { REASONS } from '../../../src/cli/reasons.ts';
import { TurnoutError } from '../../../src/errors.ts';
import { parseIp } from '../../../src/state/ip.ts';

const end = (address: string, port: number) => ({ address: parseIp(address) ?? new Uint8Array(16), port });
const WEB = { namespace: 'default', name: 'web', portName: 'http', port: 80 };
const DROP: MonitorEvent = {
  timeMs: new Date(2026, 10, 21, 8, 15, 0, 7).getTime(),
  kind: 'drop',
  reason: 'no_local_endpoint',
  protocol: 'TCP',
  source: end('192.168.50.100', 40_000),
  frontend: end('10.96.0.10', 80),
  backend: null,
  device: 'eth0',
  hook: 'ingress',
  service: WEB,
};
const NEW: MonitorEvent = { ...DROP, kind: 'new', reason: null, frontend: end('fd00::1', 80), backend: end('fd00::2', 8080) };
const SOCKET: MonitorEvent = { ...NEW, kind: 'socket', source: null, device: null, hook: 'socket', service: null };

function options(...argv: string[]): MonitorOptions {
  const command = parseArguments(['monitor', ...argv], { version: '1', hostname: 'n', capabilities: ~0n });
  if (command.kind !== 'monitor') throw new Error(`got ${command.kind}`);
  return command.options;
}

describe('a line', () => {
  test('has time, kind, reason, packet, device and Service', () => {
    expect(eventLine(DROP)).toBe(
      '08:15:00.007  drop    no_local_endpoint  TCP   192.168.50.100:40000 -> 10.96.0.10:80  (eth0 ingress)  default/web:http',
    );
  });
  test('of a flow that begins has its endpoint and no reason', () => {
    expect(eventLine(NEW)).toContain(
      '  new     -                  TCP   192.168.50.100:40000 -> [fd00::1]:80 -> [fd00::2]:8080  (eth0',
    );
  });
  test('of a socket has no source, no device, and maybe no Service', () => {
    expect(eventLine(SOCKET)).toMatch(/ {2}socket -> \[fd00::1\]:80 -> \[fd00::2\]:8080 {2}\(socket\)$/);
  });
  test('cannot move the cursor', () => {
    expect(eventLine({ ...DROP, device: 'e\u001b[2J' })).toContain('(e?[2J ingress)');
  });
  test('about a reason says what happened and what to do', () => {
    expect(reasonLines('no_flow')).toEqual([`# no_flow: ${REASONS['no_flow']?.meaning}`, `#   -> ${REASONS['no_flow']?.advice}`]);
  });
  test('about what was missed has a number', () => {
    expect(missedLine(DROP.timeMs, 1)).toMatch(/^# 08:15:00\.007 {2}1 event was missed:/);
    expect(missedLine(DROP.timeMs, 12)).toContain('12 events were missed');
    expect(JSON.parse(missedJson(0, 12))).toEqual({ time: '1970-01-01T00:00:00.000Z', kind: 'missed', count: 12 });
  });
});

test('as JSON an event is one line that explains itself', () => {
  expect(eventJson(DROP)).not.toContain('\n');
  expect(JSON.parse(eventJson(DROP))).toEqual({
    time: new Date(DROP.timeMs).toISOString(),
    kind: 'drop',
    reason: 'no_local_endpoint',
    ...REASONS['no_local_endpoint'],
    protocol: 'TCP',
    source: { address: '192.168.50.100', port: 40_000 },
    frontend: { address: '10.96.0.10', port: 80 },
    backend: null,
    device: 'eth0',
    hook: 'ingress',
    service: WEB,
  });
  expect(JSON.parse(eventJson(SOCKET))).toMatchObject({ kind: 'socket', source: null, device: null, service: null });
  expect(JSON.parse(eventJson(SOCKET))).not.toHaveProperty('reason');
});

describe('filters', () => {
  test.each([
    [[], [DROP, NEW, SOCKET]],
    [['--service=default/web'], [DROP, NEW]],
    [['--service=default/web:443'], []],
    [['--client=192.168.50.0/24'], [DROP, NEW]],
    [['--client=10.0.0.0/8'], []],
    [['--reason=no_local_endpoint,no_flow'], [DROP]],
    [['--reason=no_flow'], []],
  ])('%j', (argv, events) => {
    const { filter } = options(...argv);
    expect([DROP, NEW, SOCKET].filter((event) => matchesEvent(filter, event))).toEqual(events);
  });

  test.each([
    [[], ['drop', 'reject', 'new', 'socket']],
    [['--drops'], ['drop']],
    [
      ['--rejects', '--drops'],
      ['drop', 'reject'],
    ],
    [['--new'], ['new', 'socket']],
    [['--reason=no_flow'], ['drop', 'reject']],
    [['--reason=no_flow', '--drops', '--new'], ['drop']],
  ])('%j asks the programs for %j', (argv, kinds) => {
    expect(options(...argv).kinds).toEqual(kinds);
  });

  test('an end can be asked for', () => {
    expect(options('--count=5', '--duration=1m30s', '--output=json')).toMatchObject({
      count: 5,
      durationMs: 90_000,
      output: 'json',
    });
  });

  test.each([
    [['--reason=bad_weather'], '--reason: "bad_weather" must be reject_sent, '],
    [['--new', '--reason=no_flow'], 'what is new has no reason'],
    [['--count=0'], 'must be a whole number'],
    [['--count'], 'needs a value'],
    [['--duration=soon'], 'must be a duration'],
    [['--client=10.0.0.300'], 'is none'],
    [['--output=table'], 'must be text or json'],
    [['--state=syn'], '--state is a flag of turnout flows'],
  ])('%j is refused', (argv, message) => {
    expect(() => options(...argv)).toThrow(TurnoutError);
    expect(() => options(...argv)).toThrow(message);
  });
});
