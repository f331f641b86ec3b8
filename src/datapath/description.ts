// Layouts as text: one line for each field. What is compared, hashed and named when two layouts differ.
import { createHash } from 'node:crypto';
import type { BtfType, MapDescription } from '../native/addon.ts';

/** 'u32', 'be16', 'octet[16]', 'struct lb_extent' ... Typedefs stand for their name, since byte order lives there. */
export function typeText(type: BtfType): string {
  switch (type.kind) {
    case 'typedef':
      return type.name.replace(/^__/, '');
    case 'array':
      return `${typeText(type.element)}[${type.length}]`;
    case 'struct':
    case 'union':
      return `${type.kind} ${type.name}`;
    case 'enum':
      return `enum ${type.name}`;
    default:
      return type.name || type.kind;
  }
}

function fieldLines(path: string, type: BtfType, offset: number): string[] {
  if (type.kind !== 'struct') return [`${path} ${offset} ${typeText(type)}`];
  return type.members.flatMap((member) => fieldLines(`${path}.${member.name}`, member.type, offset + member.offset));
}

/** The layout of a map's rows, without its size: 'flows.key.source 0 union lb_addr'. */
export function mapLines(map: MapDescription): string[] {
  return [
    `${map.name} type ${map.type} key ${map.keySize} value ${map.valueSize}`,
    ...(map.key ? fieldLines(`${map.name}.key`, map.key, 0) : []),
    ...(map.value ? fieldLines(`${map.name}.value`, map.value, 0) : []),
  ];
}

/** Every map that is ours: those of libbpf's making (.rodata) hold no rows. */
export function layoutLines(maps: readonly MapDescription[]): string[] {
  return maps
    .filter((map) => !map.name.includes('.'))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap(mapLines);
}

/** Sixteen hex digits that stand for a layout. */
export function fingerprintOf(lines: readonly string[]): string {
  return createHash('sha256').update(lines.join('\n')).digest('hex').slice(0, 16);
}

/** The first field in which two layouts differ, or null. */
export function firstDifference(expected: readonly string[], found: readonly string[]): string | null {
  const index = expected.findIndex((line, i) => line !== found[i]);
  if (index < 0) return found.length > expected.length ? `${found[expected.length]} is new` : null;
  return `expected "${expected[index]}", found "${found[index] ?? 'nothing'}"`;
}
