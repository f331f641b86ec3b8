// What a layout must not contain, because two compilers or two languages could read it differently. Named as struct.field.
import type { BtfType } from '../../src/native/addon.ts';

type Struct = Extract<BtfType, { kind: 'struct' | 'union' }>;

export function sizeOf(type: BtfType): number {
  return type.kind === 'typedef' ? sizeOf(type.type) : type.size;
}

/** Faults of one struct: implicit padding, bit-fields, anonymous members, pointers, `long`. */
export function refusals(struct: Struct): string[] {
  const faults: string[] = [];
  let end = 0;
  for (const member of struct.members) {
    const field = `${struct.name}.${member.name || '(anonymous)'}`;
    if (!member.name) faults.push(`${field}: anonymous member; give it a name`);
    if (member.bitfieldBits > 0) faults.push(`${field}: bit-field; use a flags word`);
    if (struct.kind === 'struct' && member.offset > end) {
      faults.push(`${field}: ${member.offset - end} octets of implicit padding before it; write them as \`pad\``);
    }
    const base = baseOf(member.type);
    if (base.kind === 'pointer') faults.push(`${field}: pointer; user space cannot follow it`);
    if (base.kind === 'int' && /\blong\b/.test(base.name) && member.type.kind !== 'typedef') {
      faults.push(`${field}: ${base.name}; its size depends on the machine, use __u64`);
    }
    end = struct.kind === 'struct' ? member.offset + sizeOf(member.type) : Math.max(end, sizeOf(member.type));
  }
  if (struct.size > end)
    faults.push(`${struct.name}: ${struct.size - end} octets of implicit padding at its end; write them as \`pad\``);
  return faults;
}

function baseOf(type: BtfType): BtfType {
  return type.kind === 'typedef' ? baseOf(type.type) : type.kind === 'array' ? baseOf(type.element) : type;
}
