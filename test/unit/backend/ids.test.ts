import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IdAllocator } from '../../../src/backend/ebpf/ids.ts';

const GRACE_MS = 1000;

function clocked(size: number) {
  const clock = { nowMs: 0 };
  return { clock, ids: new IdAllocator(size, GRACE_MS, () => clock.nowMs) };
}

describe('ids', () => {
  test('start at 1 and were never used: 0 means none', () => {
    const { ids } = clocked(4);
    expect([ids.allocate(), ids.allocate()]).toEqual([
      { id: 1, isReused: false },
      { id: 2, isReused: false },
    ]);
  });

  test('end below the size of the table', () => {
    const { ids } = clocked(3);
    expect([ids.allocate()?.id, ids.allocate()?.id, ids.allocate()]).toEqual([1, 2, null]);
  });

  test('come back after their grace period and are told apart from new ones', () => {
    const { ids, clock } = clocked(10);
    ids.allocate();
    clock.nowMs = 200;
    ids.release(1);
    clock.nowMs = 200 + GRACE_MS - 1;
    expect(ids.allocate()).toEqual({ id: 2, isReused: false });
    clock.nowMs++;
    expect(ids.allocate()).toEqual({ id: 1, isReused: true });
  });

  test('come back each after its own time', () => {
    const { ids, clock } = clocked(3);
    ids.allocate();
    ids.allocate();
    ids.release(2);
    clock.nowMs = 600;
    ids.release(1);
    clock.nowMs = GRACE_MS;
    expect([ids.allocate(), ids.allocate()]).toEqual([{ id: 2, isReused: true }, null]);
    clock.nowMs = 600 + GRACE_MS;
    expect(ids.allocate()).toEqual({ id: 1, isReused: true });
  });
});

describe('after a restart', () => {
  test('holes may have been used before, what is above the highest was not known', () => {
    const { ids } = clocked(7);
    ids.restore([5, 2, 2]);
    const given = Array.from({ length: 4 }, () => ids.allocate());
    expect(
      given
        .slice(0, 3)
        .map((each) => each?.id)
        .toSorted(),
    ).toEqual([1, 3, 4]);
    expect(given.slice(0, 3).every((each) => each?.isReused)).toBe(true);
    expect(given[3]).toEqual({ id: 6, isReused: false });
    expect(ids.allocate()).toBeNull();
  });

  test('without any id in use it is as at the first start', () => {
    const { ids } = clocked(3);
    ids.restore([]);
    expect(ids.allocate()).toEqual({ id: 1, isReused: false });
  });
});

test('whatever is taken and given back: no id is held twice', () => {
  const SIZE = 8;
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -SIZE, max: SIZE })), (steps) => {
      const { ids, clock } = clocked(SIZE);
      const held = new Set<number>();
      for (const step of steps) {
        clock.nowMs += 300;
        if (step < 0 && held.delete(-step)) ids.release(-step);
        const given = step < 0 ? null : ids.allocate();
        if (!given) continue;
        expect(given.id > 0 && given.id < SIZE && !held.has(given.id)).toBe(true);
        held.add(given.id);
      }
    }),
  );
});
