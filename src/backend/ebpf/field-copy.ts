// From one layout to another by field name: what both have is copied, what is new is zero, what is gone is left out. Pure.
import type { BtfType } from '../../native/addon.ts';

export interface FieldCopy {
  readonly from: number; // offset in octets
  readonly to: number;
  readonly length: number;
}

const sizeOf = (type: BtfType): number => (type.kind === 'typedef' ? sizeOf(type.type) : type.size);

/** Leaves of a type: path -> offset and size. Unions and arrays count as one. */
function leaves(type: BtfType, path: string, offset: number, into: Map<string, { offset: number; size: number }>): void {
  if (type.kind === 'typedef') return leaves(type.type, path, offset, into);
  if (type.kind !== 'struct') {
    into.set(path, { offset, size: sizeOf(type) });
    return;
  }
  for (const member of type.members) leaves(member.type, `${path}.${member.name}`, offset + member.offset, into);
}

/** Offset in octets of each member. */
export function fieldOffsets(type: BtfType | null): Map<string, number> {
  if (type?.kind === 'typedef') return fieldOffsets(type.type);
  return new Map(type?.kind === 'struct' ? type.members.map(({ name, offset }) => [name, offset]) : []);
}

/** size: octets of the old row, copied whole when a side has no BTF (plain integers). */
export function fieldCopies(from: BtfType | null, to: BtfType | null, size: number): FieldCopy[] {
  if (!from || !to) return [{ from: 0, to: 0, length: size }];
  const old = new Map<string, { offset: number; size: number }>();
  const current = new Map<string, { offset: number; size: number }>();
  leaves(from, '', 0, old);
  leaves(to, '', 0, current);
  return [...current].flatMap(([path, { offset, size: length }]) => {
    const source = old.get(path);
    return source && source.size === length ? [{ from: source.offset, to: offset, length }] : [];
  });
}

export function copyFields(row: Uint8Array, copies: readonly FieldCopy[], size: number): Uint8Array {
  const copied = new Uint8Array(size);
  for (const { from, to, length } of copies) copied.set(row.subarray(from, from + length), to);
  return copied;
}
