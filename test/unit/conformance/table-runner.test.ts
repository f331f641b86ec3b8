import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { runTables } from '../../conformance/tables/run.ts';

let folder = '';
let lines: string[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'turnout-tables-'));
  lines = [];
  for (const method of ['log', 'error'] as const) vi.spyOn(console, method).mockImplementation((line) => void lines.push(line));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true });
});

function write(name: string, file: object): void {
  writeFileSync(join(folder, `${name}.json`), JSON.stringify({ name, kind: 'table', ...file }));
}
const zeroCidr = (id: string, cidr: string, zero: boolean): object => ({ id, name: cidr, cidr, expect: { zero } });
const run = (filter = /(?:)/): Promise<number> => runTables(folder, filter);

describe('the table runner', () => {
  test('passes when every case does, and tells each', async () => {
    write('zero-cidr', { cases: [zeroCidr('zero-cidr#c01', '::/0', true), zeroCidr('zero-cidr#c02', '10.0.0.0/8', false)] });
    expect(await run()).toBe(0);
    expect(lines).toEqual(['ok    zero-cidr#c01  ::/0', 'ok    zero-cidr#c02  10.0.0.0/8', '2 passed, 0 failed, 0 skipped']);
  });

  test('fails when one case does, and says what was expected', async () => {
    write('zero-cidr', { cases: [zeroCidr('zero-cidr#c01', '::/0', false), zeroCidr('zero-cidr#c02', '10.0.0.0/8', false)] });
    expect(await run()).toBe(1);
    expect(lines).toContain('FAIL  zero-cidr#c01  ::/0: zero: expected false, got true');
    expect(lines.at(-1)).toBe('1 passed, 1 failed, 0 skipped');
  });

  test('runs only what the filter matches', async () => {
    write('zero-cidr', { cases: [zeroCidr('zero-cidr#c01', '::/0', false), zeroCidr('zero-cidr#c02', '10.0.0.0/8', false)] });
    expect(await run(/c02/)).toBe(0);
    expect(lines.at(-1)).toBe('1 passed, 0 failed, 0 skipped');
  });

  test('fails a case that expects what the runner does not know, and one that cannot be run', async () => {
    const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' }, spec: { clusterIP: 'x' } };
    write('zero-cidr', { cases: [{ id: 'a', name: 'a', cidr: '::/0', expect: { zero: true, nought: true } }] });
    write('service-skipped', { cases: [{ id: 'b', name: 'b', service, expect: { ignored: true } }] });
    expect(await run()).toBe(1);
    expect(lines).toContain('FAIL  a  a: nought: this runner knows no such field');
    expect(lines).toContain('FAIL  b  b: the case could not be run: spec.clusterIP is no IP address: "x"');
  });

  test('skips by name what is not built yet, what it does not know, and gates that are gone', async () => {
    const checks = [{ id: 'service-health#c01k01' }, { id: 'service-health#c01k02' }];
    write('service-health', { kind: 'sequence', cases: [{ id: 'service-health#c01', name: 'a', steps: [{ checks }] }] });
    write('of-tomorrow', { cases: [{ id: 'of-tomorrow#c01', name: 'b' }] });
    write('zero-cidr', { cases: [{ ...zeroCidr('zero-cidr#c01', '::/0', true), featureGates: { Old: false } }] });
    expect(await run()).toBe(1);
    expect(lines.filter((line) => line.startsWith('skip')).sort()).toEqual([
      'skip  of-tomorrow#c01  (this runner knows no table file of this name)',
      'skip  service-health#c01k01  (not built yet: nothing listens on health-check node ports)',
      'skip  service-health#c01k02  (not built yet: nothing listens on health-check node ports)',
      'skip  zero-cidr#c01  (switches off Old, which is on for good in current releases; turnout has no such switch)',
    ]);
    expect(lines.at(-1)).toBe('0 passed, 0 failed, 4 skipped');
  });

  test('fails where there is nothing to run', async () => {
    await expect(run()).rejects.toThrow(/no table or sequence files/);
    write('flows', { kind: 'flows', cases: [] });
    await expect(run()).rejects.toThrow(/no table or sequence files/);
    writeFileSync(join(folder, 'x.json'), '{');
    await expect(run()).rejects.toThrow(/x\.json: /);
  });
});
