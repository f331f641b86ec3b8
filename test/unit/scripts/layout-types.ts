// Descriptions of compiled objects for tests, as short as the C they stand for.
import type { BtfMember, BtfType, MapDescription, ObjectDescription } from '../../../src/native/addon.ts';

export type Struct = Extract<BtfType, { kind: 'struct' | 'union' }>;

const int = (name: string, size: number): BtfType => ({ kind: 'int', name, size, signed: false });
const typedef = (name: string, size: number): BtfType => ({ kind: 'typedef', name, type: int('unsigned int', size) });

export const U8 = typedef('__u8', 1);
export const U16 = typedef('__u16', 2);
export const U32 = typedef('__u32', 4);
export const U64 = typedef('__u64', 8);
export const BE16 = typedef('__be16', 2);
export const CHAR = int('char', 1);
export const LONG = int('long unsigned int', 8);
export const POINTER: BtfType = { kind: 'pointer', name: '', size: 8 };

const sizeOf = (type: BtfType): number => (type.kind === 'typedef' ? sizeOf(type.type) : type.size);

export const arrayOf = (element: BtfType, length: number): BtfType => ({
  kind: 'array',
  element,
  length,
  size: length * sizeOf(element),
});

export function member(name: string, offset: number, type: BtfType, values: Partial<BtfMember> = {}): BtfMember {
  return { name, offset, type, bitfieldBits: 0, doc: null, ...values };
}

/** A struct of fields without gaps; with `size` larger than they are, one with padding at its end. */
export function structOf(name: string, fields: Record<string, BtfType>, size?: number): Struct {
  let end = 0;
  const members = Object.entries(fields).map(([field, type]) => {
    const offset = end;
    end += sizeOf(type);
    return member(field, offset, type);
  });
  return { kind: 'struct', name, size: size ?? end, members };
}

/** union lb_addr: an address. */
export const ADDRESS: Struct = {
  kind: 'union',
  name: 'lb_addr',
  size: 16,
  members: [member('octet', 0, arrayOf(U8, 16)), member('word', 0, arrayOf(U32, 4))],
};

export function mapOf(name: string, key: BtfType | null, value: BtfType | null): MapDescription {
  const sizes = { keySize: key ? sizeOf(key) : 0, valueSize: value ? sizeOf(value) : 0, maxEntries: 10 };
  return { name, type: 1, flags: 0, key, value, ...sizes };
}

export function objectOf(values: Partial<ObjectDescription>): ObjectDescription {
  return { maps: [], variables: [], programs: [], enums: [], structs: [], ...values };
}
