import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BpfObject } from '../../src/native/bpf-object.ts';
import { possibleCpus } from '../../src/native/system.ts';
import { bpfErrorOf } from './bpf-error-of.ts';
import { compile, temporaryFolder } from './compiled-object.ts';
import { readU32, u32 } from './u32.ts';

const folder = temporaryFolder();
let object: BpfObject;
beforeAll(async () => {
  object = BpfObject.open(compile('probe', folder));
  await object.load();
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  object.close();
});

const ROW_SIZE = 32;
const row = (fill: number) => new Uint8Array(ROW_SIZE).fill(fill);

function emptyRows() {
  const rows = object.map('rows');
  const { count, keys } = rows.getBatch();
  rows.deleteBatch(keys, count);
  return rows;
}

describe('a slice', () => {
  test('goes on where the last one ended, until all rows were there', () => {
    const rows = emptyRows();
    for (let key = 0; key < 40; key++) rows.set(u32(key), row(key));
    const seen = new Map<number, Uint8Array>();
    let slices = 0;
    for (let position: Uint8Array | null = null; ; slices++) {
      const { count, keys, values, next } = rows.getSlice(position, 8);
      for (let i = 0; i < count; i++) {
        seen.set(readU32(keys.subarray(i * 4)), values.slice(i * ROW_SIZE, (i + 1) * ROW_SIZE));
      }
      if (next === null) break;
      position = next;
    }
    expect(slices).toBeGreaterThan(2);
    expect(seen).toEqual(new Map(Array.from({ length: 40 }, (_, key) => [key, row(key)])));
  });

  test('of an empty map is empty, and the last', () => {
    expect(emptyRows().getSlice(null, 8)).toMatchObject({ count: 0, next: null });
  });

  test('has a size and a position of the right length', () => {
    const rows = object.map('rows');
    expect(bpfErrorOf(() => rows.getSlice(null, 0)).code).toBe('EINVAL');
    expect(bpfErrorOf(() => rows.getSlice(new Uint8Array(3), 8)).code).toBe('EKEYSIZE');
  });
});

describe('rows one by one', () => {
  test('are written, read, listed and deleted', () => {
    const rows = emptyRows();
    expect(rows.get(u32(1))).toBeNull();
    rows.set(u32(1), row(7));
    rows.set(u32(2), row(8));
    expect(rows.get(u32(1))).toEqual(row(7));
    expect(
      rows
        .keys()
        .map((key) => readU32(key))
        .toSorted(),
    ).toEqual([1, 2]);
    expect(rows.delete(u32(1))).toBe(true);
    expect(rows.delete(u32(1))).toBe(false);
    expect(rows.get(u32(1))).toBeNull();
  });

  test("'new' refuses an existing row and 'existing' a missing one", () => {
    const rows = emptyRows();
    rows.set(u32(1), row(1), 'new');
    expect(bpfErrorOf(() => rows.set(u32(1), row(2), 'new'))).toMatchObject({ code: 'EEXIST', operation: 'map.set' });
    expect(bpfErrorOf(() => rows.set(u32(2), row(2), 'existing')).code).toBe('ENOENT');
    rows.set(u32(1), row(3), 'existing');
    expect(rows.get(u32(1))).toEqual(row(3));
  });

  test('keys and values of a wrong size never reach the kernel', () => {
    const rows = object.map('rows');
    expect(bpfErrorOf(() => rows.get(new Uint8Array(3)))).toMatchObject({ code: 'EKEYSIZE', operation: 'map.get' });
    expect(bpfErrorOf(() => rows.set(new Uint8Array(5), row(1))).code).toBe('EKEYSIZE');
    expect(bpfErrorOf(() => rows.set(u32(1), new Uint8Array(31))).code).toBe('EVALUESIZE');
    expect(bpfErrorOf(() => rows.delete(new Uint8Array(0))).code).toBe('EKEYSIZE');
    expect(bpfErrorOf(() => rows.setBatch(u32(1, 2), row(1), 2)).code).toBe('EVALUESIZE');
    expect(bpfErrorOf(() => rows.setBatch(u32(1), row(1), 2)).code).toBe('EKEYSIZE');
    expect(bpfErrorOf(() => rows.deleteBatch(u32(1), 2)).code).toBe('EKEYSIZE');
    expect(bpfErrorOf(() => rows.get('four' as unknown as Uint8Array)).code).toBe('EINVAL');
  });

  test('a view into a larger buffer is taken as the view, not as the buffer', () => {
    const rows = emptyRows();
    rows.set(u32(9, 10).subarray(4), new Uint8Array(64).fill(5).subarray(32));
    expect(rows.get(u32(10))).toEqual(row(5));
  });

  test('a full map is E2BIG', () => {
    const tiny = object.map('tiny');
    for (const key of [1, 2]) tiny.set(u32(key), u32(key));
    expect(bpfErrorOf(() => tiny.set(u32(3), u32(3))).code).toBe('E2BIG');
    tiny.deleteBatch(u32(1, 2), 2);
  });
});

describe('many rows at once', () => {
  test('3000 rows go in and come out, over several chunks', () => {
    const rows = emptyRows();
    const keys = u32(...Array.from({ length: 3000 }, (_, i) => i * 7));
    const values = new Uint8Array(3000 * ROW_SIZE).map((_, i) => Math.floor(i / ROW_SIZE) % 251);
    rows.setBatch(keys, values, 3000);
    const all = rows.getBatch();
    expect(all.count).toBe(3000);
    const seen = new Set<number>();
    for (let i = 0; i < all.count; i++) {
      const key = readU32(all.keys, i * 4);
      seen.add(key);
      if (all.values[i * ROW_SIZE] !== (key / 7) % 251) throw new Error(`row ${key} holds ${all.values[i * ROW_SIZE]}`);
    }
    expect(seen.size).toBe(3000);
    expect(rows.keys()).toHaveLength(3000);
    expect(rows.getBatch(700).count).toBe(700);
    expect(rows.deleteBatch(keys, 3000)).toBe(3000);
    expect(rows.getBatch()).toEqual({ count: 0, keys: new Uint8Array(0), values: new Uint8Array(0) });
  });

  test('deleting passes over missing rows and counts the others', () => {
    const rows = emptyRows();
    rows.setBatch(u32(1, 3, 5), new Uint8Array(3 * ROW_SIZE), 3);
    expect(rows.deleteBatch(u32(1, 2, 3, 4, 5, 6), 6)).toBe(3);
    expect(rows.getBatch().count).toBe(0);
    expect(rows.deleteBatch(new Uint8Array(0), 0)).toBe(0);
  });

  test('a batch that does not fit names the row that failed', () => {
    const tiny = object.map('tiny');
    const error = bpfErrorOf(() => tiny.setBatch(u32(1, 2, 3), u32(1, 2, 3), 3));
    expect(error).toMatchObject({ code: 'E2BIG', operation: 'map.setBatch' });
    expect(error.detail).toContain('row 2 of 3');
    tiny.deleteBatch(u32(1, 2), 2);
  });

  test('a bucket with more rows than were asked for is read all the same', () => {
    const tiny = object.map('tiny'); // two buckets: some of these pairs share one
    for (let key = 1; key <= 24; key++) {
      tiny.setBatch(u32(0, key), u32(0, key), 2);
      expect(tiny.getBatch(1).count).toBe(1);
      expect(tiny.getBatch().count).toBe(2);
      tiny.deleteBatch(u32(0, key), 2);
    }
  });

  test('maps for which the kernel has no batch calls work row by row', () => {
    const map = object.map('without_batch');
    map.setBatch(u32(10, 20, 30), u32(1, 1, 1), 3);
    const { count, keys, values } = map.getBatch();
    expect([count, values]).toEqual([3, u32(1, 1, 1)]);
    expect([0, 4, 8].map((offset) => readU32(keys, offset)).toSorted()).toEqual([10, 20, 30]);
    expect(map.getBatch(2).count).toBe(2);
    expect(map.deleteBatch(u32(10, 11, 20), 3)).toBe(2);
    expect(map.keys()).toHaveLength(1);
  });

  test('a whole array comes in order', () => {
    const { count, keys } = object.map('slots').getBatch();
    expect(count).toBe(1000);
    expect([0, 511, 512, 999].map((i) => readU32(keys, i * 4))).toEqual([0, 511, 512, 999]);
  });
});

describe('per-CPU maps', () => {
  test('give and take one slot of eight octets for each possible CPU', () => {
    const map = object.map('per_cpu');
    expect([map.valueSize, map.rowSize]).toEqual([4, 8 * possibleCpus()]);
    const slots = new Uint8Array(map.rowSize);
    for (let cpu = 0; cpu < possibleCpus(); cpu++) slots.set(u32(100 + cpu), cpu * 8);
    map.set(u32(1), slots);
    expect(map.perCpuGet(u32(1))).toEqual(slots);
    expect(map.getBatch().values.subarray(map.rowSize, 2 * map.rowSize)).toEqual(slots);
  });

  test('are not read as plain ones, nor the other way round; missing rows are ENOENT', () => {
    expect(bpfErrorOf(() => object.map('per_cpu').get(u32(0)))).toMatchObject({ code: 'EPERCPU', operation: 'map.get' });
    expect(bpfErrorOf(() => object.map('rows').perCpuGet(u32(0))).code).toBe('EPERCPU');
    expect(bpfErrorOf(() => object.map('per_cpu').perCpuGet(u32(99))).code).toBe('ENOENT');
    expect(bpfErrorOf(() => object.map('per_cpu').set(u32(0), u32(1))).code).toBe('EVALUESIZE');
  });
});

test('a loaded map is described from the BTF that the kernel keeps', () => {
  const described = BpfObject.describe(`${folder}/probe.o`).maps.find((map) => map.name === 'rows');
  expect(object.map('rows').describe()).toEqual(described);
});
