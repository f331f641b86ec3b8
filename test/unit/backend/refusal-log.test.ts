import { describe, expect, test } from 'vitest';
import { describePacket, refusalLog } from '../../../src/backend/ebpf/refusal-log.ts';
import { addressOctets } from '../../../src/datapath/address.ts';
import { Counter, Direction, type Event, LB_EVENT_SIZE, writeEvent } from '../../../src/datapath/layout.gen.ts';
import { createLogger } from '../../../src/log.ts';

const NO_FLOW: Event = {
  timeNs: 1n,
  source: addressOctets('10.1.0.5'),
  destination: addressOctets('10.96.0.1'),
  sourcePort: 40_000,
  destinationPort: 80,
  ifindex: 3,
  reason: Counter.LB_DROP_NO_FLOW,
  protocol: 6,
  backend: new Uint8Array(16),
  backendPort: 0,
  kind: 0,
  serviceId: 0,
  direction: Direction.LB_IN,
};

/** A log with a clock; report() takes events as the ring buffer has them, and returns the lines that came of it. */
function clocked(verbosity = 1) {
  const clock = { nowMs: 0 };
  const lines: string[] = [];
  const logger = createLogger({ format: 'text', verbosity, write: (line) => lines.push(line) });
  const log = refusalLog(logger, () => clock.nowMs);
  const report = (values: Partial<Event> = {}): string[] => {
    const record = new Uint8Array(LB_EVENT_SIZE);
    writeEvent(record, 0, { ...NO_FLOW, ...values });
    log(record);
    return lines.splice(0).map((line) => line.slice(line.indexOf('] ') + 2, -1));
  };
  return { clock, report };
}

describe('a packet that is refused', () => {
  const v6 = { source: addressOctets('fd00::5'), destination: addressOctets('fd00:96::1') };
  test.each<[string, Partial<Event>]>([
    ['TCP 10.1.0.5:40000 -> 10.96.0.1:80', {}],
    ['UDP 10.1.0.5:40000 -> 10.96.0.1:53', { protocol: 17, destinationPort: 53 }],
    ['ICMPv6 [fd00::5]:0 -> [fd00:96::1]:0', { protocol: 58, ...v6, sourcePort: 0, destinationPort: 0 }],
    ['SCTP 10.1.0.5:40000 -> 10.96.0.1:80', { protocol: 132 }],
    ['protocol 136 10.1.0.5:40000 -> 10.96.0.1:80', { protocol: 136 }],
  ])('reads %s', (text, values) => {
    expect(describePacket({ ...NO_FLOW, ...values })).toBe(text);
  });

  test('is a line with its reason, its hook and its device', () => {
    expect(clocked().report()).toEqual([
      '"Refused packet" reason="no_flow" packet="TCP 10.1.0.5:40000 -> 10.96.0.1:80" hook="ingress" ifindex=3 alsoHidden=0',
    ]);
  });

  test('on its way out is told as egress, and a reason without a name by its number', () => {
    const [line] = clocked().report({ direction: Direction.LB_OUT, reason: 200 });
    expect(line).toContain('reason=200 ');
    expect(line).toContain('hook="egress"');
  });

  test('is no line unless -v is 1 or more', () => {
    expect(clocked(0).report()).toEqual([]);
  });
});

describe('of many packets', () => {
  test('with one reason there is one line a second, which counts those without a line', () => {
    const { clock, report } = clocked();
    expect(report()).toHaveLength(1);
    clock.nowMs = 400;
    expect(report()).toEqual([]);
    clock.nowMs = 999;
    expect(report()).toEqual([]);
    clock.nowMs = 1000;
    expect(report()).toEqual([expect.stringContaining('alsoHidden=2')]);
    clock.nowMs = 2000;
    expect(report()).toEqual([expect.stringContaining('alsoHidden=0')]);
  });

  test('each reason has its own line', () => {
    const { report } = clocked();
    report();
    expect(report({ reason: Counter.LB_DROP_FLOWS_FULL })).toEqual([expect.stringContaining('reason="flows_full"')]);
    expect(report()).toEqual([]);
  });
});
