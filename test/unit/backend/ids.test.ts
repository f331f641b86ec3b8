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
    expect([ids.allocate(), ids.allocate()]).toEqual([1, 2]);
  });

  test('end below the size of the table', () => {
    const { ids } = clocked(3);
    expect([ids.allocate(), ids.allocate(), ids.allocate()]).toEqual([1, 2, null]);
  });

  test('come back after their grace period, once there are no new ones', () => {
    const { ids, clock } = clocked(3);
    ids.allocate();
    clock.nowMs = 200;
    ids.release(1);
    clock.nowMs = 200 + GRACE_MS - 1;
    expect([ids.allocate(), ids.allocate()]).toEqual([2, null]);
    clock.nowMs++;
    expect(ids.allocate()).toBe(1);
  });

  test('come back the oldest first, each after its own time', () => {
    const { ids, clock } = clocked(3);
    ids.allocate();
    ids.allocate();
    ids.release(2);
    clock.nowMs = 600;
    ids.release(1);
    clock.nowMs = GRACE_MS;
    expect([ids.allocate(), ids.allocate()]).toEqual([2, null]);
    clock.nowMs = 600 + GRACE_MS;
    expect(ids.allocate()).toBe(1);
  });
});

describe('after a restart', () => {
  test('ids above the highest come first, then the holes', () => {
    const { ids } = clocked(7);
    ids.restore([5, 2, 2]);
    expect(ids.allocate()).toBe(6);
    expect([ids.allocate(), ids.allocate(), ids.allocate()].toSorted()).toEqual([1, 3, 4]);
    expect(ids.allocate()).toBeNull();
  });

  test('without any id in use it is as at the first start', () => {
    const { ids } = clocked(3);
    ids.restore([]);
    expect(ids.allocate()).toBe(1);
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
        if (given === null) continue;
        expect(given > 0 && given < SIZE && !held.has(given)).toBe(true);
        held.add(given);
      }
    }),
  );
});
