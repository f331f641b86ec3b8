import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { copyFields, fieldCopies } from '../../../src/backend/ebpf/field-copy.ts';
import type { BtfType } from '../../../src/native/addon.ts';

const uint = (size: number): BtfType => ({ kind: 'int', name: `u${size * 8}`, size, signed: false });
const typedef = (name: string, type: BtfType): BtfType => ({ kind: 'typedef', name, type });
const sizeOf = (type: BtfType): number => (type.kind === 'typedef' ? sizeOf(type.type) : type.size);
const octets = (length: number): BtfType => ({ kind: 'array', length, element: uint(1), size: length });

/** A struct whose fields follow each other. */
function struct(fields: Record<string, BtfType>): BtfType {
  let size = 0;
  const members = Object.entries(fields).map(([name, type]) => {
    const offset = size;
    size += sizeOf(type);
    return { name, offset, bitfieldBits: 0, type, doc: null };
  });
  return { kind: 'struct', name: 'row', size, members };
}

/** The row 1, 2, 3 ... of the old layout, as the new one has it. */
function copied(from: BtfType, to: BtfType): number[] {
  const row = Uint8Array.from({ length: sizeOf(from) }, (_, i) => i + 1);
  return [...copyFields(row, fieldCopies(from, to, row.length), sizeOf(to))];
}

describe('from one layout to another', () => {
  test('fields keep their values wherever they are', () => {
    const from = struct({ port: uint(2), flags: uint(1), pad: uint(1), id: uint(4) });
    const to = struct({ id: uint(4), port: uint(2), pad: uint(1), flags: uint(1) });
    expect(copied(from, to)).toEqual([5, 6, 7, 8, 1, 2, 4, 3]);
  });

  test('a field that is new is zero', () => {
    expect(copied(struct({ a: uint(1), b: uint(1) }), struct({ a: uint(1), added: uint(2), b: uint(1) }))).toEqual([1, 0, 0, 2]);
  });

  test('a field that is gone is left out', () => {
    expect(copied(struct({ a: uint(1), removed: uint(2), b: uint(1) }), struct({ a: uint(1), b: uint(1) }))).toEqual([1, 4]);
  });

  test.each([
    ['wider', 2, 4],
    ['narrower', 4, 2],
  ])('a field that became %s is zero: what its octets mean is not known here', (_how, before, now) => {
    const from = struct({ count: uint(before), after: uint(1) });
    expect(copied(from, struct({ count: uint(now), after: uint(1) }))).toEqual([...new Uint8Array(now), before + 1]);
  });

  test('fields of inner structs are copied one by one', () => {
    const from = struct({ list: struct({ base: uint(1), count: uint(1) }), id: uint(1) });
    const to = struct({ id: uint(1), list: struct({ count: uint(1), generation: uint(1), base: uint(1) }) });
    expect(copied(from, to)).toEqual([3, 2, 0, 1]);
  });

  test('equal names in different structs are different fields', () => {
    const from = struct({ cluster: struct({ base: uint(1) }), local: struct({ base: uint(1) }) });
    const to = struct({ local: struct({ base: uint(1) }), other: struct({ base: uint(1) }) });
    expect(copied(from, to)).toEqual([2, 0]);
  });

  test('arrays and unions are one field, and a typedef is what it stands for', () => {
    const address: BtfType = { kind: 'union', name: 'lb_addr', size: 4, members: [] };
    const from = struct({ mac: octets(2), address, port: typedef('__be16', uint(2)) });
    const to = struct({ port: uint(2), address: typedef('addr', address), mac: octets(3) });
    expect(copied(from, to)).toEqual([7, 8, 3, 4, 5, 6, 0, 0, 0]);
  });

  test('plain integers are one field', () => {
    expect(copied(typedef('__u32', uint(4)), uint(4))).toEqual([1, 2, 3, 4]);
    expect(copied(uint(4), uint(8))).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  test('without BTF on a side the row is copied whole', () => {
    expect(fieldCopies(null, uint(4), 4)).toEqual([{ from: 0, to: 0, length: 4 }]);
    expect(fieldCopies(uint(4), null, 4)).toEqual([{ from: 0, to: 0, length: 4 }]);
  });

  test('whatever comes and goes, what both layouts have survives a way there and back', () => {
    const layout = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { minLength: 1 });
    fc.assert(
      fc.property(layout, layout, (before, now) => {
        const [from, to] = [before, now].map((names) => struct(Object.fromEntries(names.map((name) => [name, uint(2)]))));
        const row = Uint8Array.from({ length: sizeOf(from!) }, (_, i) => i + 1);
        const there = copyFields(row, fieldCopies(from!, to!, row.length), sizeOf(to!));
        const back = copyFields(there, fieldCopies(to!, from!, there.length), row.length);
        const expected = before.flatMap((name, i) => (now.includes(name) ? [2 * i + 1, 2 * i + 2] : [0, 0]));
        expect([...back]).toEqual(expected);
      }),
    );
  });
});
