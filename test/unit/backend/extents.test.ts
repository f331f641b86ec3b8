import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Extent, ExtentAllocator } from '../../../src/backend/ebpf/extents.ts';

const GRACE_MS = 1000;

function clocked(size: number) {
  const clock = { nowMs: 0 };
  return { clock, extents: new ExtentAllocator(size, GRACE_MS, () => clock.nowMs) };
}

/** For tests that know there is room. */
function taken(extents: ExtentAllocator, count: number): Extent {
  const extent = extents.allocate(count);
  if (!extent) throw new Error(`no room for ${count} rows`);
  return extent;
}

describe('allocation', () => {
  test('starts at row 1: row 0 is never given out', () => {
    const { extents } = clocked(8);
    expect(extents.allocate(3)).toEqual({ base: 1, count: 3 });
    expect(extents.allocate(4)).toEqual({ base: 4, count: 4 });
    expect(extents.used).toBe(7);
  });

  test('of nothing costs nothing, also when all is full', () => {
    const { extents } = clocked(2);
    taken(extents, 1);
    expect(extents.allocate(0)).toEqual({ base: 0, count: 0 });
    extents.release({ base: 0, count: 0 });
    expect(extents.used).toBe(1);
  });

  test('is null when nothing fits, and what fits is still given', () => {
    const { extents } = clocked(8);
    taken(extents, 5);
    expect(extents.allocate(3)).toBeNull();
    expect(extents.used).toBe(5);
    expect(extents.allocate(2)).toEqual({ base: 6, count: 2 });
    expect(extents.allocate(1)).toBeNull();
  });

  test('takes a free run of the same length before rows that were never used', () => {
    const { extents, clock } = clocked(100);
    const first = taken(extents, 3);
    taken(extents, 3);
    extents.release(first);
    clock.nowMs = GRACE_MS;
    expect(extents.allocate(3)).toEqual(first);
  });

  test('cuts a longer run only when nothing else is left, and keeps the rest', () => {
    const { extents, clock } = clocked(11);
    const long = taken(extents, 6);
    taken(extents, 4);
    extents.release(long);
    clock.nowMs = GRACE_MS;
    expect(extents.allocate(2)).toEqual({ base: 1, count: 2 });
    expect(extents.allocate(4)).toEqual({ base: 3, count: 4 });
    expect(extents.allocate(1)).toBeNull();
  });
});

describe('a released extent', () => {
  test('is not given out before its grace period is over', () => {
    const { extents, clock } = clocked(4);
    const all = taken(extents, 3);
    clock.nowMs = 500;
    extents.release(all);
    expect(extents.used).toBe(0);
    clock.nowMs = 500 + GRACE_MS - 1;
    expect(extents.allocate(3)).toBeNull();
    clock.nowMs++;
    expect(extents.allocate(3)).toEqual(all);
  });

  test('joins its free neighbours when nothing else fits', () => {
    const { extents, clock } = clocked(10);
    const [a, b, c] = [taken(extents, 3), taken(extents, 3), taken(extents, 3)];
    extents.release(c);
    extents.release(a);
    clock.nowMs = GRACE_MS;
    expect(extents.allocate(6)).toBeNull();
    extents.release(b);
    clock.nowMs += GRACE_MS;
    expect(extents.allocate(9)).toEqual({ base: 1, count: 9 });
  });

  test('at the end of what is used joins the rows that never were', () => {
    const { extents, clock } = clocked(10);
    taken(extents, 2);
    extents.release(taken(extents, 3));
    clock.nowMs = GRACE_MS;
    expect(extents.allocate(7)).toEqual({ base: 3, count: 7 });
  });
});

describe('after a restart', () => {
  test('what was in use stays in use, and the holes between are free at once', () => {
    const { extents } = clocked(12);
    extents.restore([
      { base: 8, count: 2 },
      { base: 3, count: 3 },
      { base: 0, count: 0 },
    ]);
    expect(extents.used).toBe(5);
    const given = [2, 2, 2].map((count) => extents.allocate(count));
    expect(given).toEqual(expect.arrayContaining([1, 6, 10].map((base) => ({ base, count: 2 }))));
    expect(extents.allocate(1)).toBeNull();
  });

  test('overlapping extents count their rows once', () => {
    const { extents } = clocked(10);
    extents.restore([
      { base: 2, count: 4 },
      { base: 2, count: 4 },
      { base: 4, count: 3 },
    ]);
    expect(extents.used).toBe(5);
    expect(extents.allocate(1)).toEqual({ base: 1, count: 1 });
    expect(extents.allocate(3)).toEqual({ base: 7, count: 3 });
  });
});

test('whatever is taken, given back and restored: rows never belong to two, and none come back within their grace period', () => {
  const SIZE = 64;
  const step = fc.oneof(
    fc.record({ kind: fc.constant('allocate' as const), count: fc.integer({ min: 1, max: 20 }) }),
    fc.record({ kind: fc.constant('release' as const), which: fc.nat() }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: GRACE_MS }) }),
  );
  const restored = fc.array(fc.record({ gap: fc.nat({ max: 5 }), count: fc.integer({ min: 1, max: 8 }) }), { maxLength: 4 });
  fc.assert(
    fc.property(restored, fc.array(step, { maxLength: 80 }), (gaps, steps) => {
      const { extents, clock } = clocked(SIZE);
      let top = 1;
      const live = gaps.map(({ gap, count }) => {
        top += gap + count;
        return { base: top - count, count };
      });
      extents.restore(live);
      const freeFrom = new Map<number, number>(); // row -> time
      for (const { base, count } of live) for (let row = base; row < base + count; row++) freeFrom.set(row, Infinity);
      for (const what of steps) {
        if (what.kind === 'wait') clock.nowMs += what.ms;
        const extent = what.kind === 'allocate' ? extents.allocate(what.count) : null;
        const [left] = what.kind === 'release' && live.length > 0 ? live.splice(what.which % live.length, 1) : [];
        if (left) extents.release(left);
        if (extent) live.push(extent);
        for (let i = 0; i < (left?.count ?? 0); i++) freeFrom.set(left!.base + i, clock.nowMs + GRACE_MS);
        for (let i = 0; i < (extent?.count ?? 0); i++) {
          const row = extent!.base + i;
          expect(row > 0 && row < SIZE && (freeFrom.get(row) ?? 0) <= clock.nowMs).toBe(true);
          freeFrom.set(row, Infinity);
        }
        expect(extents.used).toBe(live.reduce((sum, { count }) => sum + count, 0));
      }
      for (const extent of live) extents.release(extent);
      clock.nowMs += GRACE_MS;
      expect(extents.allocate(SIZE - 1)).toEqual({ base: 1, count: SIZE - 1 });
    }),
  );
});
