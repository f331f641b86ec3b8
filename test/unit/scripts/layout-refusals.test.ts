import { describe, expect, test } from 'vitest';
import { refusals } from '../../../scripts/layout/refusals.ts';
import { layoutSource } from '../../../scripts/layout/source.ts';
import {
  ADDRESS,
  arrayOf,
  BE16,
  LONG,
  mapOf,
  member,
  objectOf,
  POINTER,
  type Struct,
  structOf,
  U8,
  U16,
  U32,
  U64,
} from './layout-types.ts';

const rowOf = (...members: Struct['members']): Struct => ({ kind: 'struct', name: 'lb_row', size: 8, members });

describe('a struct', () => {
  test('whose fields follow each other may be shared', () => {
    const list = structOf('lb_extent', { base: U32, count: U32 });
    expect(refusals(structOf('lb_row', { address: ADDRESS, list, id: U64, port: BE16, mac: arrayOf(U8, 6), pad: U16 }))).toEqual(
      [],
    );
  });

  test('with a gap between fields is refused, with the size of the gap', () => {
    expect(refusals(rowOf(member('flags', 0, U8), member('id', 4, U32)))).toEqual([
      'lb_row.id: 3 octets of implicit padding before it; write them as `pad`',
    ]);
  });

  test('with a gap at its end is refused', () => {
    expect(refusals(structOf('lb_row', { id: U32, port: BE16 }, 8))).toEqual([
      'lb_row: 2 octets of implicit padding at its end; write them as `pad`',
    ]);
  });

  test('with a bit-field is refused', () => {
    const found = refusals(rowOf(member('flags', 0, U32, { bitfieldBits: 3 }), member('id', 4, U32)));
    expect(found).toEqual(['lb_row.flags: bit-field; use a flags word']);
  });

  test('with an anonymous member is refused', () => {
    const found = refusals(rowOf(member('', 0, structOf('', { a: U32 })), member('id', 4, U32)));
    expect(found).toEqual(['lb_row.(anonymous): anonymous member; give it a name']);
  });

  test.each([
    ['a pointer', POINTER],
    ['an array of pointers', arrayOf(POINTER, 1)],
  ])('with %s is refused', (_what, type) => {
    expect(refusals(rowOf(member('next', 0, type)))).toEqual(['lb_row.next: pointer; user space cannot follow it']);
  });

  test.each([
    ['long', LONG],
    ['an array of long', arrayOf(LONG, 1)],
  ])('with %s is refused: its size depends on the machine', (_what, type) => {
    expect(refusals(rowOf(member('count', 0, type)))).toEqual([
      'lb_row.count: long unsigned int; its size depends on the machine, use __u64',
    ]);
  });

  test('with __u64 is fine, although that is a long behind its name', () => {
    expect(refusals(rowOf(member('count', 0, { kind: 'typedef', name: '__u64', type: LONG })))).toEqual([]);
  });

  test('with several faults is refused for each', () => {
    const found = refusals(rowOf(member('flags', 0, U8, { bitfieldBits: 1 }), member('', 2, POINTER)));
    expect(found).toHaveLength(4);
  });
});

describe('a union', () => {
  test('has no gaps between its members, but may be longer than the longest', () => {
    expect(refusals(ADDRESS)).toEqual([]);
    expect(refusals({ ...ADDRESS, size: 24 })).toEqual([
      expect.stringContaining('lb_addr: 8 octets of implicit padding at its end'),
    ]);
  });
});

describe('an object', () => {
  const gap = (name: string): Struct => structOf(name, { id: U32 }, 8);
  const failure = (...given: Parameters<typeof objectOf>): string => {
    try {
      layoutSource(objectOf(...given));
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };

  test('is refused with the faults of all rows of its tables, keys and inner structs too', () => {
    const message = failure({
      maps: [
        mapOf('flows', gap('lb_key'), structOf('lb_flow', { inner: gap('lb_inner') })),
        mapOf('peers', U32, structOf('lb_peers', { pair: arrayOf(gap('lb_pair'), 4) })),
      ],
    });
    expect(message.split('\n')).toEqual([
      'layouts that user space cannot share:',
      ...['lb_key', 'lb_inner', 'lb_pair'].map(
        (name) => `  ${name}: 4 octets of implicit padding at its end; write them as \`pad\``,
      ),
    ]);
  });

  test('is refused once for a struct in several tables', () => {
    expect(failure({ maps: ['a', 'b'].map((name) => mapOf(name, U32, gap('lb_row'))) }).split('\n')).toHaveLength(2);
  });

  test('is refused for what it exports besides tables', () => {
    const exported = structOf('lb_exported', { event: gap('lb_event') });
    const variable = { name: 'exported', section: '.rodata', offset: 0, type: exported, doc: null };
    expect(failure({ variables: [variable] })).toContain('lb_event: 4 octets');
  });

  test('is not refused for structs that only its programs know', () => {
    expect(failure({ structs: [gap('lb_scratch')] })).toBe('');
  });

  test('is refused for a field that has no codec', () => {
    const real = structOf('lb_row', { rate: { kind: 'float', name: 'double', size: 8 } });
    expect(failure({ maps: [mapOf('rates', U32, real)] })).toContain('no codec for float double');
    const wide = structOf('lb_row', { mask: { kind: 'int', name: '__int128', size: 16, signed: false } });
    expect(failure({ maps: [mapOf('masks', U32, wide)] })).toContain('no codec for an integer of 16 octets');
  });
});
