import { describe, expect, test } from 'vitest';
import { formatVerify, type VerifyReport, verifyProblems, verifySummary } from '../../../src/cli/verify-table.ts';

const CLEAN: VerifyReport = {
  rounds: 3,
  lastRound: { endedAt: '2026-11-21T08:15:00.000Z', durationMs: 1234, rowsCompared: 1, drift: 0 },
  tables: [{ name: 'frontends', rowsCompared: 120, missing: 0, differs: 0, unexpected: 0, failures: 0 }],
  recentDrift: [],
  canaries: [
    { hook: 'connect4', state: 'proven', detail: '', runs: 2, failures: 0 },
    { hook: 'tc_ingress', state: 'unproven', detail: 'nothing is sent', runs: 0, failures: 0 },
  ],
  blindSpots: [],
  refused: { error: '', servicePorts: [] },
  nearlyFull: [],
};
const DAMAGED: VerifyReport = {
  ...CLEAN,
  lastRound: { endedAt: '2026-11-21T08:15:00.000Z', durationMs: 61_000, rowsCompared: 240, drift: 1 },
  tables: [{ name: 'frontends', rowsCompared: 120, missing: 0, differs: 2, unexpected: 0, failures: 1 }],
  recentDrift: [
    {
      ...{ at: '2026-11-21T08:14:59.000Z', table: 'frontends', kind: 'differs', row: '10.96.0.1:80/TCP of default/web' },
      ...{ expected: 'flags 4', found: 'flags 0', failure: 'refused' },
    },
  ],
  canaries: [{ hook: 'connect4', state: 'failed', detail: 'arrived untranslated', runs: 2, failures: 1 }],
  blindSpots: [{ kind: 'vrf', found: ['blue0', 'evil\u001b[2J'], count: 7, consequence: 'Left alone.', advice: 'Use another.' }],
  refused: { error: '', servicePorts: [{ key: 'default/big:http/TCP/IPv4', message: 'no room' }] },
  nearlyFull: [{ table: 'backends', used: 95, size: 100, flag: '--ebpf-backend-table-size' }],
};

describe('turnout verify', () => {
  test('shows that all is well, with what was looked at', () => {
    expect(formatVerify(CLEAN, 'table')).toBe(`\
Everything is as it should be.

Tables (3 rounds, the last ended 2026-11-21T08:15:00.000Z)
  TABLE      COMPARED  MISSING  DIFFERED  UNEXPECTED  NOT PUT RIGHT
  frontends       120        0         0           0              0

Canaries
  HOOK        STATE     RUNS  FAILURES
  connect4    proven       2         0
  tc_ingress  unproven     0         0  nothing is sent

Blind spots
  none found
`);
    expect(verifyProblems(CLEAN)).toEqual([]);
  });

  test('shows problems first, each in a line, then where they are', () => {
    const text = formatVerify(DAMAGED, 'table');
    expect(text).toContain(`\
Problems
  the last round found 1 row or link that differed
  canary of connect4: arrived untranslated
  1 Service port not programmed, such as default/big:http/TCP/IPv4: no room
  table backends: 95 of 100 rows in use; raise --ebpf-backend-table-size
`);
    expect(text).toContain(`\
Newest drift
  2026-11-21T08:14:59.000Z  frontends  differs        10.96.0.1:80/TCP of default/web
                                       expected       flags 4
                                       found          flags 0
                                       not put right  refused
`);
    expect(text).toContain('  vrf: Left alone.\n    -> Use another.\n    blue0\n    evil?[2J\n    and 5 more\n');
  });

  test('as JSON is the report, with a verdict', () => {
    expect(JSON.parse(formatVerify(CLEAN, 'json'))).toEqual({ ok: true, problems: [], ...CLEAN });
    expect(JSON.parse(formatVerify(DAMAGED, 'json'))).toMatchObject({ ok: false });
  });
});

describe('turnout status', () => {
  const lines = (report: VerifyReport): string[] => verifySummary(report).map((line) => line.join(' '));

  test('sums it up', () => {
    expect(lines(CLEAN)).toEqual([
      'Last round: 2026-11-21T08:15:00.000Z, 1 row in 1.2 s',
      'Drift: 0 since the start',
      'Canary: proven: connect4',
      'Blind spots: none found',
    ]);
    expect(lines(DAMAGED)).toEqual([
      'Last round: 2026-11-21T08:15:00.000Z, 240 rows in 61 s',
      'Drift: 2 since the start, 1 not put right',
      'Canary: FAILED: connect4',
      'Blind spots: vrf  (`turnout verify` explains)',
    ]);
  });

  test('says what was not done yet', () => {
    expect(lines({ ...CLEAN, lastRound: null, canaries: [], blindSpots: null })).toEqual([
      'Last round: none yet',
      'Drift: 0 since the start',
      'Canary: not run',
      'Blind spots: not looked for yet',
    ]);
  });
});
