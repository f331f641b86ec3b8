import { expect, test } from 'vitest';
import { formatStatus, type StatusReport } from '../../../src/cli/status-table.ts';

const RUNNING: StatusReport = {
  version: '0.1.0',
  proxyMode: 'ebpf',
  process: { pid: 4242, startedAt: '2026-11-21T08:15:00Z' },
  pinFolder: '/sys/fs/bpf/turnout/1a2b3c',
  hooks: [
    { place: 'eth0', attach: 'tcx', programs: ['ingress', 'egress'] },
    { place: '/sys/fs/cgroup/unified', attach: 'cgroup', programs: ['connect4', 'connect6'] },
  ],
  tables: [
    { name: 'frontends', used: 12, size: 65_536 },
    { name: 'flows', used: 524_288, size: 524_288 },
    { name: 'backends', used: 262_143, size: 262_144 },
    { name: 'affinity', used: 0, size: 0 },
  ],
  drops: { no_snat_port: 3, bad_state: 0, flow_table_full: 120 },
  events: { flow_created: 9000 },
  warnings: ['frontends are nearly full'],
};

test('status shows all sections, drops before events, zeroes left out', () => {
  expect(formatStatus(RUNNING, 'table')).toBe(`\
Turnout:  0.1.0
Mode:     ebpf
Process:  running, pid 4242, since 2026-11-21T08:15:00Z
Pins:     /sys/fs/bpf/turnout/1a2b3c

Hooks
  PLACE                   ATTACH  PROGRAMS
  eth0                    tcx     ingress, egress
  /sys/fs/cgroup/unified  cgroup  connect4, connect6

Tables
  TABLE        USED    SIZE   FILL
  frontends      12   65536    1 %
  flows      524288  524288  100 %
  backends   262143  262144   99 %
  affinity        0       0      -

Drops
  REASON           COUNT
  flow_table_full    120
  no_snat_port         3

Events
  EVENT         COUNT
  flow_created   9000

Warnings
  frontends are nearly full
`);
});

test('without a process the pinned datapath is said to carry on', () => {
  expect(formatStatus({ ...RUNNING, process: null }, 'table')).toContain('not running; the pinned datapath carries on');
});

test('without anything installed status says how to start', () => {
  const report: StatusReport = {
    ...RUNNING,
    process: null,
    pinFolder: '',
    hooks: [],
    tables: [],
    drops: {},
    events: {},
    warnings: [],
  };
  expect(formatStatus(report, 'table')).toBe(`\
Turnout:  0.1.0
Mode:     ebpf
Process:  not running, and no datapath is installed: start it with \`turnout --manifests=DIR\`
Pins:     none
`);
});

test('pins without hooks are reported as a datapath that translates nothing', () => {
  expect(formatStatus({ ...RUNNING, hooks: [] }, 'table')).toContain('none attached: Services are not translated');
});

test('as JSON, status is the report itself', () => {
  expect(JSON.parse(formatStatus(RUNNING, 'json'))).toEqual(RUNNING);
});

test('what the running process verified has a section, and what is wrong is among the warnings', () => {
  const verification = {
    ...{ rounds: 0, lastRound: null, tables: [], recentDrift: [], blindSpots: null, nearlyFull: [] },
    canaries: [{ hook: 'connect4', state: 'failed' as const, detail: 'arrived untranslated', runs: 1, failures: 1 }],
    refused: { error: 'the table frontends (64 rows) is full', servicePorts: [] },
  };
  const text = formatStatus({ ...RUNNING, verification }, 'table');
  expect(text).toContain('Verification\n  Last round:   none yet\n');
  expect(text).toContain(
    '  canary of connect4: arrived untranslated\n  the last pass failed: the table frontends (64 rows) is full\n',
  );
  expect(formatStatus({ ...RUNNING, verification: null }, 'table')).not.toContain('Verification');
});
