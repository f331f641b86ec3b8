import { describe, expect, test } from 'vitest';
import { fingerprintOf, firstDifference, layoutLines, mapLines, typeText } from '../../../src/datapath/description.ts';
import type { BtfMember, BtfType, MapDescription } from '../../../src/native/addon.ts';

const U32: BtfType = { kind: 'typedef', name: '__u32', type: { kind: 'int', name: 'unsigned int', size: 4, signed: false } };
const BE16: BtfType = { kind: 'typedef', name: '__be16', type: { kind: 'int', name: 'unsigned short', size: 2, signed: false } };
const ADDRESS: BtfType = { kind: 'union', name: 'lb_addr', size: 16, members: [] };

const member = (name: string, offset: number, type: BtfType): BtfMember => ({ name, offset, type, bitfieldBits: 0, doc: null });
const EXTENT: BtfType = {
  kind: 'struct',
  name: 'lb_extent',
  size: 8,
  members: [member('base', 0, U32), member('count', 4, U32)],
};
const ROW: BtfType = {
  kind: 'struct',
  name: 'lb_row',
  size: 32,
  members: [member('address', 0, ADDRESS), member('cluster', 16, EXTENT), member('port', 24, BE16)],
};

function map(name: string, values: Partial<MapDescription> = {}): MapDescription {
  return { name, type: 1, keySize: 4, valueSize: 32, maxEntries: 100, flags: 0, key: U32, value: ROW, ...values };
}

describe('types as text', () => {
  test.each<[string, BtfType]>([
    ['u32', U32],
    ['be16', BE16],
    ['union lb_addr', ADDRESS],
    ['struct lb_extent', EXTENT],
    ['struct lb_extent[4]', { kind: 'array', length: 4, size: 32, element: EXTENT }],
    ['char[64]', { kind: 'array', length: 64, size: 64, element: { kind: 'int', name: 'char', size: 1, signed: true } }],
    ['enum lb_direction', { kind: 'enum', name: 'lb_direction', size: 4, values: [] }],
    ['pointer', { kind: 'pointer', name: '', size: 8 }],
  ])('%s', (text, type) => {
    expect(typeText(type)).toBe(text);
  });
});

describe('the layout of a table', () => {
  test('is a line for the table and one for each field, inner structs spread', () => {
    expect(mapLines(map('frontends'))).toEqual([
      'frontends type 1 key 4 value 32',
      'frontends.key 0 u32',
      'frontends.value.address 0 union lb_addr',
      'frontends.value.cluster.base 16 u32',
      'frontends.value.cluster.count 20 u32',
      'frontends.value.port 24 be16',
    ]);
  });

  test('without BTF is its sizes', () => {
    expect(mapLines(map('events', { type: 27, keySize: 0, valueSize: 0, key: null, value: null }))).toEqual([
      'events type 27 key 0 value 0',
    ]);
  });

  test('does not depend on how many rows it has', () => {
    expect(mapLines(map('flows', { maxEntries: 5 }))).toEqual(mapLines(map('flows', { maxEntries: 6 })));
  });

  test('does not depend on the order of tables, nor on those of libbpf', () => {
    const [flows, backends] = [map('flows'), map('backends')];
    const lines = layoutLines([flows, map('datapath.rodata'), backends]);
    expect(lines).toEqual([...mapLines(backends), ...mapLines(flows)]);
    expect(layoutLines([backends, flows])).toEqual(lines);
  });
});

describe('two layouts', () => {
  const lines = mapLines(map('flows'));

  test('that are equal have one fingerprint of sixteen hex digits, and no difference', () => {
    expect(fingerprintOf(lines)).toMatch(/^[0-9a-f]{16}$/);
    expect(fingerprintOf([...lines])).toBe(fingerprintOf(lines));
    expect(firstDifference(lines, [...lines])).toBeNull();
  });

  test.each<[string, readonly string[], string]>([
    [
      'another type',
      lines.with(5, 'flows.value.port 24 u16'),
      'expected "flows.value.port 24 be16", found "flows.value.port 24 u16"',
    ],
    ['a field less', lines.slice(0, 5), 'expected "flows.value.port 24 be16", found "nothing"'],
    ['a field more', [...lines, 'flows.value.id 26 u16'], 'flows.value.id 26 u16 is new'],
  ])('that differ by %s have other fingerprints, and the first difference is named', (_what, found, text) => {
    expect(fingerprintOf(found)).not.toBe(fingerprintOf(lines));
    expect(firstDifference(lines, found)).toBe(text);
  });
});
