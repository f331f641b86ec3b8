import { describe, expect, test, vi } from 'vitest';
import { CanaryRecord } from '../../../src/backend/ebpf/canary-record.ts';
import { DriftRecord } from '../../../src/backend/ebpf/drift-record.ts';
import { checkLinks } from '../../../src/backend/ebpf/link-check.ts';
import { SelfCheck, type SelfCheckParts } from '../../../src/backend/ebpf/self-check.ts';
import { nearlyFull, TablePressure } from '../../../src/backend/ebpf/table-pressure.ts';
import type { Drift } from '../../../src/backend/ebpf/verify.ts';
import type { Logger } from '../../../src/log.ts';

function logged(): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const note =
    (level: string) =>
    (text: string, values: Readonly<Record<string, unknown>> = {}): void =>
      void lines.push(`${level} ${text} ${Object.values(values).join(' ')}`);
  const logger = { info: note('I'), warn: note('W'), error: note('E'), verbose: () => {} } as unknown as Logger;
  return { logger, lines };
}

const DRIFT: Drift = { table: 'frontends', kind: 'missing', row: 'web', expected: 'x', found: '', failure: '' };

describe('the record of drift', () => {
  test('counts by table and kind, and keeps the newest', () => {
    const { logger } = logged();
    const record = new DriftRecord(logger, () => 0);
    for (let i = 0; i < 50; i++) record.note({ ...DRIFT, row: `web ${i}`, failure: i === 0 ? 'refused' : '' });
    record.note({ ...DRIFT, table: 'links', kind: 'differs' });
    expect(record.tables()).toMatchObject([
      { name: 'frontends', missing: 50, differs: 0, failures: 1 },
      { name: 'links', differs: 1 },
    ]);
    expect(record.recent).toHaveLength(20);
    expect(record.recent.at(-2)).toMatchObject({ at: '1970-01-01T00:00:00.000Z', row: 'web 49' });
    expect(record.total).toBe(51);
  });

  test('writes few lines of much damage, and one of how much more there was', () => {
    const { logger, lines } = logged();
    const record = new DriftRecord(logger, () => 0);
    for (let i = 0; i < 1000; i++) record.note(DRIFT);
    record.roundEnded();
    expect(lines).toHaveLength(21);
    expect(lines.at(-1)).toBe('W More rows of a table had been changed frontends 980');
    record.note(DRIFT);
    expect(lines).toHaveLength(22);
  });
});

describe('the record of canaries', () => {
  test('tells once that a hook fails, and once that it works again', () => {
    const { logger, lines } = logged();
    const record = new CanaryRecord(logger);
    for (const failure of ['', 'no answer', 'no answer', '', '']) record.note({ hook: 'connect4', failure });
    expect(lines).toEqual(['E A hook does not do its work connect4 no answer', 'I A hook works again connect4']);
    expect(record.list()).toEqual([{ hook: 'connect4', state: 'proven', detail: '', runs: 5, failures: 2 }]);
  });
});

describe('tables that get full', () => {
  test('are told once with the flag to raise, and again only after there was room', () => {
    const { logger, lines } = logged();
    const pressure = new TablePressure(logger);
    for (const used of [50, 90, 91, 100, 85, 95, 79, 91]) pressure.look({ flow_states: { used, size: 100 } });
    expect(lines).toEqual([
      'W A table is nearly full flow_states 91 100 --ebpf-flow-table-size',
      'W A table is nearly full flow_states 91 100 --ebpf-flow-table-size',
    ]);
    expect(nearlyFull({ backends: { used: 91, size: 100 }, empty: { used: 0, size: 0 } })).toEqual([
      { table: 'backends', used: 91, size: 100, flag: '--ebpf-backend-table-size' },
    ]);
  });
});

describe('links', () => {
  const faulty = new Set([7]);
  const places = (attach: (ifindex: number) => void) => ({
    hooks: {
      deviceFaults: (ifindex: number) => (faulty.has(ifindex) ? ['ingress: the link is detached'] : []),
      attachDevice: attach,
      cgroupFaults: () => ['connect4: the link runs program 9, which is not ours'],
      attachCgroup: () => {},
    },
    devices: () => [...Array(100).keys()].map((ifindex) => ({ ifindex, programs: 'tc' as const })),
    cgroup: '/cgroup',
    deviceName: (ifindex: number) => (ifindex === 7 ? 'eth0' : null),
  });

  test('that are not as they should be are attached again; those of a device that went are not', () => {
    const attached: number[] = [];
    const drift: Drift[] = [];
    faulty.add(8); // gone with its device
    const looked = [
      ...checkLinks(
        places((ifindex) => attached.push(ifindex)),
        (one) => drift.push(one),
      ),
    ];
    expect(attached).toEqual([7]);
    expect(drift.map(({ kind, row, failure }) => [kind, row, failure])).toEqual([
      ['missing', 'eth0 ingress', ''],
      ['differs', '/cgroup connect4', ''],
    ]);
    expect(looked.reduce((sum, one) => sum + one, 0)).toBe(101);
    expect(Math.max(...looked)).toBeLessThan(40);
  });

  test('that cannot be attached are said to be so', () => {
    const drift: Drift[] = [];
    const fail = (): never => {
      throw new Error('EPERM');
    };
    Array.from(checkLinks(places(fail), (one) => drift.push(one)));
    expect(drift[0]).toMatchObject({ row: 'eth0 ingress', failure: 'EPERM' });
  });
});

describe('the self-check', () => {
  function checkOf(parts: Partial<SelfCheckParts>): { check: SelfCheck; lines: string[] } {
    const { logger, lines } = logged();
    const check = new SelfCheck({
      ...{
        tables: [],
        counts: [],
        links: () => [],
        forward: async () => 0,
        canary: async () => [],
        unproven: [],
        blindSpots: async () => [],
        fill: () => ({}),
      },
      ...{ refused: () => ({ error: '', servicePorts: [] }), logger, periodMs: 0, now: () => 0 },
      ...parts,
    });
    return { check, lines };
  }

  test('looks at links as soon as a canary fails, and gives it a second try; what was found counts for this run', async () => {
    let isBroken = true;
    const { check } = checkOf({
      canary: async () => [{ hook: 'connect4', failure: isBroken ? 'untranslated' : '' }],
      *links(onDrift) {
        if (isBroken) onDrift({ ...DRIFT, table: 'links' });
        isBroken = false;
        yield 1;
      },
    });
    const report = await check.run();
    expect(report.canaries).toEqual([{ hook: 'connect4', state: 'proven', detail: '', runs: 2, failures: 1 }]);
    expect(report.lastRound?.drift).toBe(1);
    expect((await check.run()).lastRound?.drift).toBe(0);
  });

  test('tells of a blind spot once for as long as it is there', async () => {
    const spot = { kind: 'vrf' as const, found: ['blue0'], count: 1, consequence: 'c', advice: 'a' };
    let spots = [spot];
    const { check, lines } = checkOf({ blindSpots: async () => spots });
    expect(check.report().blindSpots).toBeNull();
    await check.run();
    await check.run();
    expect(lines).toEqual(['W Blind spot vrf 1 blue0 c a']);
    spots = [];
    expect((await check.run()).blindSpots).toEqual([]);
    spots = [spot];
    await check.run();
    expect(lines).toHaveLength(2);
  });

  test('does nothing on its own where only asking is wanted, and nothing more once it is closed', async () => {
    vi.useFakeTimers();
    try {
      let runs = 0;
      const canary = async () => {
        runs++;
        return [];
      };
      const quiet = checkOf({ canary }).check;
      quiet.start();
      await vi.advanceTimersByTimeAsync(100_000);
      expect(runs).toBe(0);
      const { check } = checkOf({ canary, periodMs: 1000 });
      check.start();
      await vi.advanceTimersByTimeAsync(10_500);
      expect(runs).toBe(11);
      check.close();
      await vi.advanceTimersByTimeAsync(100_000);
      expect(runs).toBe(11);
    } finally {
      vi.useRealTimers();
    }
  });

  test('runs once at a time when asked; who asks meanwhile shares one run that begins after', async () => {
    let [under, runs] = [0, 0];
    const { check } = checkOf({
      canary: async () => {
        expect(++under).toBe(1);
        runs++;
        await new Promise((resolve) => setImmediate(resolve));
        under--;
        return [];
      },
      blindSpots: async () => {
        expect(under).toBe(0);
        return [];
      },
    });
    const reports = await Promise.all([check.run(), check.run(), check.run(), check.run()]);
    expect(runs).toBe(2);
    expect(reports.map(({ rounds }) => rounds)).toEqual([1, 2, 2, 2]);
    await check.run();
    expect(runs).toBe(3);
  });

  test('ends in silence when it is closed in the middle: tables and links are closed with it', async () => {
    vi.useFakeTimers();
    try {
      const closed = (): never => {
        if (isClosed) throw new Error('the map is closed');
        return [] as never;
      };
      let isClosed = false;
      const counts = { count: () => closed() };
      const { check, lines } = checkOf({ counts: [counts], periodMs: 1000, links: () => [1] });
      check.start();
      await vi.advanceTimersToNextTimerAsync(); // the canary
      vi.advanceTimersByTime(1000); // a round has looked at its first links
      isClosed = true;
      check.close();
      await vi.runAllTimersAsync();
      expect(lines).toEqual([]);
      expect(check.report().rounds).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  test('goes on after a part of it failed', async () => {
    vi.useFakeTimers();
    try {
      let runs = 0;
      const { check, lines } = checkOf({
        canary: async () => {
          if (++runs === 1) throw new Error('no sockets left');
          return [];
        },
        periodMs: 1000,
      });
      check.start();
      await vi.advanceTimersByTimeAsync(2500);
      check.close();
      expect(runs).toBe(3);
      expect(lines).toEqual(['E Self-verification failed; it is tried again Error: no sockets left']);
    } finally {
      vi.useRealTimers();
    }
  });
});
