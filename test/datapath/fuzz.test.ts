// A short run of `make fuzz`: the same packets each time. What comes of each is compared with an independent model (test/fuzz/model).
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';

const SEED = 5;
const PACKETS = 30_000;

interface Run {
  readonly difference: string;
  readonly packets: number;
  readonly matched: number;
  readonly table: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

let run: Run;
beforeAll(() => {
  const child = join(import.meta.dirname, 'children/fuzz.ts');
  const object = join(import.meta.dirname, '../../build/fuzz/datapath.bpf.o'); // make build/fuzz/datapath.bpf.o
  const output = execFileSync('unshare', ['--net', process.execPath, child, object, String(SEED), String(PACKETS)], {
    encoding: 'utf8',
  });
  run = JSON.parse(output) as Run;
});

test(`${PACKETS} random packets come out of both hooks as the model says`, () => {
  expect(run.difference).toBe('');
  expect(run.packets).toBe(PACKETS);
});

test('at least half of them match a flow, a frontend or an address of ours', () => {
  expect(run.matched / run.packets).toBeGreaterThan(0.5);
});

/** At ingress, at egress, or at both. */
const INGRESS = ['new flow', 'established', 'reply to our source', 'steered', 'rejected', 'reselected', 'moved to another port'];
const EGRESS = ['reply', 'masqueraded first', 'masqueraded', 'guarded', 'port free again'];
const BOTH = ['passed', 'ICMP translated'];
const DROPS_IN = [
  'fragment',
  'fragment held',
  'fragment released',
  'no_flow',
  'no_local_endpoint',
  'source_range',
  'unallocated',
  'rewrite_failed',
];
const DROPS_OUT = ['snat_exhausted', 'rewrite_failed', 'icmp_redirect'];

describe.each(['IPv4', 'IPv6'])('over %s', (family) => {
  test.each([
    ...[...INGRESS, ...BOTH, ...DROPS_IN].map((outcome) => ['ingress', outcome]),
    ...[...EGRESS, ...BOTH, ...DROPS_OUT].map((outcome) => ['egress', outcome]),
  ])('at %s some are met by: %s', (hook, outcome) => {
    expect(run.table[outcome]?.[`${hook} ${family}`]).toBeGreaterThan(0);
  });
});

test.each([
  ['ingress', 'port_collision'],
  ['egress', 'no_source'],
])('at %s some are met by: %s', (hook, outcome) => {
  const counts = run.table[outcome] ?? {};
  expect((counts[`${hook} IPv4`] ?? 0) + (counts[`${hook} IPv6`] ?? 0)).toBeGreaterThan(0);
});
