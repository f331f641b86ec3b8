import { describe, expect, test } from 'vitest';
import { FlowRows } from '../../../src/backend/ebpf/flow-rows.ts';

/** A table of `size` rows in which `taken` are in use; what is given is in use from then on. */
function tableOf(size: number, taken: readonly number[] = []) {
  const used = new Set(taken);
  const rows = new FlowRows(size, (row) => !used.has(row));
  const take = (row: number, claim: number): number | null => {
    const given = rows.take(row, claim);
    if (given !== null) used.add(given);
    return given;
  };
  return { rows, take };
}

describe('rows of flows in a new table', () => {
  test('a flow keeps its row where the table has it', () => {
    const { rows, take } = tableOf(8);
    expect(take(5, 77)).toBe(5);
    expect(rows.given(5, 77)).toBe(5);
  });

  test('a flow beyond the end of a smaller table gets a free row', () => {
    const { take } = tableOf(4, [0, 1]);
    expect([take(100, 1), take(200, 2), take(300, 3)]).toEqual([2, 3, null]);
  });

  test('a flow whose row went to another one gets another row', () => {
    const { rows, take } = tableOf(4);
    expect([take(9, 1), take(0, 2)]).toEqual([0, 1]);
    expect([rows.given(9, 1), rows.given(0, 2)]).toEqual([0, 1]);
  });

  test('a flow that is not known has no row, even where its row was another flow', () => {
    const { rows, take } = tableOf(4);
    take(3, 1);
    expect([rows.given(3, 2), rows.given(2, 1)]).toEqual([null, null]);
  });
});
