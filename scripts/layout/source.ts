// An object's description -> the text of src/datapath/layout.gen.ts: straight-line codecs, enums, maps, configuration.
import { layoutLines } from '../../src/datapath/description.ts';
import type { BtfType, ObjectDescription } from '../../src/native/addon.ts';
import { refusals, sizeOf } from './refusals.ts';

type Struct = Extract<BtfType, { kind: 'struct' | 'union' }>;

const pascal = (name: string): string => camel(name).replace(/^./, (first) => first.toUpperCase());
const camel = (name: string): string => name.replace(/^lb_/, '').replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
const isPad = (name: string): boolean => /^pad\d*$/.test(name);

/** A union whose first member is `octet`: an address, which has no byte order. */
const isOctets = (type: BtfType): boolean => type.kind === 'union' && type.members[0]?.name === 'octet';

interface Codec {
  readonly type: string; // in TypeScript
  read(at: string): string; // an expression
  write(at: string, value: string): string; // a statement
}

function intCodec(size: number, order: 'true' | 'false'): Codec {
  const method = { 1: 'Uint8', 2: 'Uint16', 4: 'Uint32', 8: 'BigUint64' }[size];
  if (!method) throw new Error(`no codec for an integer of ${size} octets`);
  const suffix = size === 1 ? '' : `, ${order}`;
  return {
    type: size === 8 ? 'bigint' : 'number',
    read: (at) => `view.get${method}(${at}${suffix})`,
    write: (at, value) => `view.set${method}(${at}, ${value}${suffix});`,
  };
}

function codecOf(type: BtfType): Codec {
  switch (type.kind) {
    case 'typedef':
      return type.name.startsWith('__be') ? intCodec(sizeOf(type), 'false') : codecOf(type.type);
    case 'int':
    case 'enum':
      return intCodec(type.size, 'true');
    case 'array':
      return arrayCodec(type);
    case 'struct':
    case 'union':
      if (isOctets(type)) return octetsCodec(type.size);
      return {
        type: pascal(type.name),
        read: (at) => `read${pascal(type.name)}(bytes, ${at})`,
        write: (at, value) => `write${pascal(type.name)}(bytes, ${at}, ${value});`,
      };
    default:
      throw new Error(`no codec for ${type.kind} ${type.name}`);
  }
}

const octetsCodec = (length: number): Codec => ({
  type: 'Uint8Array',
  read: (at) => `readOctets(bytes, ${at}, ${length})`,
  write: (at, value) => `bytes.set(${value}, ${at});`,
});

function arrayCodec(type: Extract<BtfType, { kind: 'array' }>): Codec {
  const element = type.element;
  const name = element.kind === 'int' || element.kind === 'typedef' ? element.name : '';
  if (name === 'char') {
    return {
      type: 'string',
      read: (at) => `readText(bytes, ${at}, ${type.length})`,
      write: (at, value) => `writeText(bytes, ${at}, ${type.length}, ${value});`,
    };
  }
  if (sizeOf(element) === 1) return octetsCodec(type.length);
  const codec = codecOf(element);
  return {
    type: `${codec.type}[]`,
    read: (at) => `Array.from({ length: ${type.length} }, (_, i) => ${codec.read(`${at} + i * ${sizeOf(element)}`)})`,
    write: (at, value) => `for (const [i, item] of ${value}.entries()) ${codec.write(`${at} + i * ${sizeOf(element)}`, 'item')}`,
  };
}

function structSource(struct: Struct): string {
  const name = pascal(struct.name);
  const members = struct.members.filter((member) => !isPad(member.name));
  const at = (offset: number): string => (offset === 0 ? 'at' : `at + ${offset}`);
  const fields = members.map(
    ({ name: field, type, doc }) => `  ${camel(field)}: ${codecOf(type).type};${doc ? ` // ${doc}` : ''}`,
  );
  const reads = members.map(({ name: field, type, offset }) => `    ${camel(field)}: ${codecOf(type).read(at(offset))},`);
  const writes = members.map(({ name: field, type, offset }) => `  ${codecOf(type).write(at(offset), `value.${camel(field)}`)}`);
  const usesView = [...reads, ...writes].some((line) => line.includes('view.'));
  const view = usesView ? ['  const view = viewOf(bytes);'] : [];
  return [
    `/** struct ${struct.name}, ${struct.size} octets. */`,
    `export interface ${name} {`,
    ...fields,
    '}',
    `export const ${struct.name.toUpperCase()}_SIZE = ${struct.size};`,
    `export function read${name}(bytes: Uint8Array, at = 0): ${name} {`,
    ...(reads.some((line) => line.includes('view.')) ? view : []),
    '  return {',
    ...reads,
    '  };',
    '}',
    `export function write${name}(bytes: Uint8Array, at: number, value: ${name}): void {`,
    ...(writes.some((line) => line.includes('view.')) ? view : []),
    ...writes,
    '}',
    '',
  ].join('\n');
}

function enumSource(type: Extract<BtfType, { kind: 'enum' }>): string {
  const values = type.values.map(({ name, value }) => `  ${name}: ${value},`);
  return [`/** enum ${type.name} */`, `export const ${pascal(type.name)} = {`, ...values, '} as const;', ''].join('\n');
}

/** A structure after those it contains. */
function inOrder(structs: readonly Struct[]): Struct[] {
  const byName = new Map(structs.map((struct) => [struct.name, struct]));
  const done = new Set<Struct>();
  const visit = (struct: Struct): void => {
    if (done.has(struct)) return;
    for (const { type } of struct.members) {
      const inner = type.kind === 'array' ? type.element : type;
      const known = inner.kind === 'struct' ? byName.get(inner.name) : undefined;
      if (known) visit(known);
    }
    done.add(struct);
  };
  for (const struct of structs) visit(struct);
  return [...done];
}

function mapSource(description: ObjectDescription): string {
  const nameOf = (type: BtfType | null): string => (type?.kind === 'struct' ? `'${pascal(type.name)}'` : 'null');
  const rows = description.maps
    .filter((map) => !map.name.includes('.'))
    .map((map) => {
      const sizes = `keySize: ${map.keySize}, valueSize: ${map.valueSize}, maxEntries: ${map.maxEntries}`;
      return `  ${map.name}: { key: ${nameOf(map.key)}, value: ${nameOf(map.value)}, ${sizes} },`;
    });
  return ['/** Every table, with its default size in rows. */', 'export const MAPS = {', ...rows, '} as const;', ''].join('\n');
}

function configSource(description: ObjectDescription): string {
  const variables = description.variables.filter(({ name, section }) => section === '.rodata' && name.startsWith('cfg_'));
  const field = (name: string): string => camel(name.replace(/^cfg_/, ''));
  const fields = variables.map(({ name, type, doc }) => `  ${field(name)}: ${codecOf(type).type}; // ${doc ?? ''}`);
  const entries = variables.flatMap(({ name, type }) => {
    const codec = codecOf(type);
    const write = codec.write('0', `config.${field(name)}`);
    const view = write.includes('view.') ? ' const view = viewOf(bytes);' : '';
    return [`  { const bytes = new Uint8Array(${sizeOf(type)});${view} ${write} variables.set('${name}', bytes); }`];
  });
  return [
    '/** Read-only variables of the programs; set before load. */',
    'export interface DatapathConfig {',
    ...fields,
    '}',
    '/** By variable name, as octets for BpfObject.setVariable. */',
    'export function configVariables(config: DatapathConfig): Map<string, Uint8Array> {',
    '  const variables = new Map<string, Uint8Array>();',
    ...entries,
    '  return variables;',
    '}',
    '',
  ].join('\n');
}

/** Rows of tables, and what bpf/config.h exports. Other structs are the programs' own. */
function sharedStructs(description: ObjectDescription): Struct[] {
  const shared = new Map<string, Struct>();
  const visit = (type: BtfType): void => {
    if (type.kind === 'typedef') visit(type.type);
    else if (type.kind === 'array') visit(type.element);
    else if (type.kind === 'struct' && !shared.has(type.name)) {
      shared.set(type.name, type);
      for (const member of type.members) visit(member.type);
    }
  };
  for (const map of description.maps) for (const type of [map.key, map.value]) if (type) visit(type);
  for (const { name, type } of description.variables) if (name === 'exported') visit(type);
  shared.delete('lb_exported');
  return [...shared.values()];
}

/** The whole file. Throws with every refusal when a layout cannot be shared. */
export function layoutSource(description: ObjectDescription): string {
  const structs = sharedStructs(description);
  const faults = structs.flatMap(refusals);
  if (faults.length > 0) throw new Error(`layouts that user space cannot share:\n  ${faults.join('\n  ')}`);
  return [
    '// Made by `make gen` from the BTF of the compiled object. Do not edit: change bpf/lb.h and make it again.',
    "import { readOctets, readText, viewOf, writeText } from './bytes.ts';",
    '',
    '/** One line for each field of each table; compared with the object that is loaded. */',
    'export const LAYOUT: readonly string[] = [',
    ...layoutLines(description.maps).map((line) => `  '${line}',`),
    '];',
    '',
    ...description.enums.filter(({ name }) => name.startsWith('lb_')).map(enumSource),
    ...inOrder(structs).map(structSource),
    mapSource(description),
    configSource(description),
  ].join('\n');
}
