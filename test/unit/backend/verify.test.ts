import { describe, expect, test } from 'vitest';
import type { VerifiedTable } from '../../../src/backend/ebpf/verified-table.ts';
import { compareTable, type Drift, SLICE_ROWS } from '../../../src/backend/ebpf/verify.ts';

const value = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const text = (octets: Uint8Array): string => Buffer.from(octets).toString();

/** A table in memory: what should be in it, and what is. `refusing`: the kernel takes no change. */
function tableOf(
  wanted: Map<string, string>,
  kernel: Map<string, string>,
  more: { refusing?: boolean; unknown?: Set<string> } = {},
) {
  const change = (work: () => void): void => {
    if (more.refusing) throw new Error('the map refuses');
    work();
  };
  const table: VerifiedTable = {
    name: 'frontends',
    *rows() {
      for (const [key, row] of wanted) yield { key, value: value(row) };
    },
    expected: (key) => {
      if (more.unknown?.has(key)) return undefined;
      const row = wanted.get(key);
      return row === undefined ? null : value(row);
    },
    read: (key) => {
      const row = kernel.get(key);
      return row === undefined ? null : value(row);
    },
    keys: (position, limit) => {
      const from = position ? Number(text(position)) : 0;
      const all = [...kernel.keys()];
      const next = from + limit < all.length ? value(String(from + limit)) : null;
      return { keys: all.slice(from, from + limit), next };
    },
    write: (key, row) => change(() => kernel.set(key, text(row))),
    remove: (key) => change(() => kernel.delete(key)),
    isSame: (a, b) => text(a) === text(b),
    describe: (key) => `row ${key}`,
    show: text,
  };
  return table;
}

function compared(table: VerifiedTable, between: () => void = () => {}): { drift: Drift[]; slices: number[] } {
  const drift: Drift[] = [];
  const slices: number[] = [];
  for (const rows of compareTable(table, (one) => drift.push(one))) {
    slices.push(rows);
    between();
  }
  return { drift, slices };
}

describe('comparing a table', () => {
  test('finds what is missing, what differs and what should not be there, and makes it so', () => {
    const wanted = new Map(Object.entries({ a: '1', b: '2', c: '3' }));
    const kernel = new Map(Object.entries({ b: 'x', c: '3', d: '4' }));
    const { drift } = compared(tableOf(wanted, kernel));
    expect(drift).toEqual([
      { table: 'frontends', kind: 'missing', row: 'row a', expected: '1', found: '', failure: '' },
      { table: 'frontends', kind: 'differs', row: 'row b', expected: '2', found: 'x', failure: '' },
      { table: 'frontends', kind: 'unexpected', row: 'row d', expected: '', found: '4', failure: '' },
    ]);
    expect(kernel).toEqual(wanted);
    expect(compared(tableOf(wanted, kernel)).drift).toEqual([]);
  });

  test('says why a row could not be put right', () => {
    const { drift } = compared(tableOf(new Map([['a', '1']]), new Map(), { refusing: true }));
    expect(drift).toMatchObject([{ kind: 'missing', failure: 'the map refuses' }]);
  });

  test('leaves alone what nobody knows anything about', () => {
    const kernel = new Map([['a', '1']]);
    expect(compared(tableOf(new Map(), kernel, { unknown: new Set('a') })).drift).toEqual([]);
    expect(kernel.size).toBe(1);
  });

  test('goes in slices of bounded size, in both directions', () => {
    const rows = new Map(Array.from({ length: 1000 }, (_, i) => [String(i), 'x']));
    const { drift, slices } = compared(tableOf(rows, new Map(rows)));
    expect(drift).toEqual([]);
    expect(Math.max(...slices)).toBe(SLICE_ROWS);
    expect(slices.reduce((sum, one) => sum + one, 0)).toBe(2000);
  });

  test('takes no change that is programmed between two slices for damage', () => {
    const wanted = new Map(Array.from({ length: 1000 }, (_, i) => [String(i), 'x']));
    const kernel = new Map(wanted);
    let pass = 0;
    const { drift } = compared(tableOf(wanted, kernel), () => {
      pass++;
      for (const table of [wanted, kernel]) {
        table.delete(String(900 - pass));
        table.set(String(999 - pass), `changed ${pass}`);
        table.set(`new ${pass}`, 'x');
      }
    });
    expect(drift).toEqual([]);
    expect(kernel).toEqual(wanted);
  });

  test('comes to an end though the kernel begins again and again', () => {
    const rows = new Map([['a', '1']]);
    const table = { ...tableOf(rows, new Map(rows)), keys: () => ({ keys: ['a'], next: value('0') }) };
    expect(compared(table).slices.length).toBeLessThan(100);
  });
});
