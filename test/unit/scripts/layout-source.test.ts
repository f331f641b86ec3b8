// What the generator writes is run: its codecs must put octets where the description says.
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { layoutSource } from '../../../scripts/layout/source.ts';
import type { VariableDescription } from '../../../src/native/addon.ts';
import {
  ADDRESS,
  arrayOf,
  BE16,
  CHAR,
  mapOf,
  member,
  objectOf,
  type Struct,
  structOf,
  U8,
  U16,
  U32,
  U64,
} from './layout-types.ts';

const EXTENT = structOf('lb_extent', { base: U32, count: U32 });
const ROW = structOf('lb_service_row', {
  address: ADDRESS,
  port: BE16,
  flags: U16,
  last_seen_ns: U64,
  name: arrayOf(CHAR, 8),
  mac: arrayOf(U8, 6),
  pad: U16,
  list: EXTENT,
  more: arrayOf(EXTENT, 2),
  counts: arrayOf(U16, 2),
});
const DOCUMENTED: Struct = { kind: 'struct', name: 'lb_noted', size: 4, members: [member('id', 0, U32, { doc: 'never 0' })] };

const variable = (name: string, type: VariableDescription['type'], section = '.rodata'): VariableDescription => ({
  name,
  section,
  offset: 0,
  type,
  doc: 'what it is for',
});

const source = layoutSource(
  objectOf({
    maps: [mapOf('services', EXTENT, ROW), mapOf('noted', U32, DOCUMENTED), mapOf('object.rodata', U32, U32)],
    enums: [
      { kind: 'enum', name: 'lb_node_flag', size: 4, values: [{ name: 'LB_NODE_READY', value: 4 }] },
      { kind: 'enum', name: 'bpf_map_type', size: 4, values: [] },
    ],
    variables: [
      variable('cfg_snat_port_min', BE16),
      variable('cfg_node_address', ADDRESS),
      variable('scratch', U32),
      variable('cfg_elsewhere', U32, '.data'),
    ],
  }),
);

interface Generated {
  readonly readServiceRow: (bytes: Uint8Array, at?: number) => object;
  readonly writeServiceRow: (bytes: Uint8Array, at: number, value: object) => void;
  readonly configVariables: (config: object) => Map<string, Uint8Array>;
  readonly [name: string]: unknown;
}

let folder = '';
let generated: Generated;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'turnout-layout-'));
  cpSync(join(import.meta.dirname, '../../../src/datapath/bytes.ts'), join(folder, 'bytes.ts'));
  writeFileSync(join(folder, 'layout.gen.ts'), source);
  generated = await import(join(folder, 'layout.gen.ts'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('generated codecs', () => {
  const value = {
    address: Uint8Array.from({ length: 16 }, (_, i) => i),
    port: 0x0102,
    flags: 0x0304,
    lastSeenNs: 0x0102030405060708n,
    name: 'web',
    mac: Uint8Array.of(1, 2, 3, 4, 5, 6),
    list: { base: 1, count: 2 },
    more: [
      { base: 3, count: 4 },
      { base: 5, count: 6 },
    ],
    counts: [7, 8],
  };

  test('read what they wrote, wherever a row begins; padding is no field', () => {
    const bytes = new Uint8Array(ROW.size + 3);
    generated.writeServiceRow(bytes, 3, value);
    expect(generated.readServiceRow(bytes, 3)).toEqual(value);
    expect([...bytes.subarray(0, 3)]).toEqual([0, 0, 0]);
  });

  test('write ports in network order, other numbers in host order, and octets as they are', () => {
    const bytes = new Uint8Array(ROW.size);
    generated.writeServiceRow(bytes, 0, value);
    expect([...bytes.subarray(14, 28)]).toEqual([14, 15, 1, 2, 4, 3, 8, 7, 6, 5, 4, 3, 2, 1]);
    expect([...bytes.subarray(28, 36)]).toEqual([119, 101, 98, 0, 0, 0, 0, 0]);
    expect([...bytes.subarray(-4)]).toEqual([7, 0, 8, 0]);
  });

  test('set read-only variables by name, those of the configuration only', () => {
    const address = new Uint8Array(16).fill(9);
    expect(generated.configVariables({ snatPortMin: 0x1234, nodeAddress: address })).toEqual(
      new Map([
        ['cfg_snat_port_min', Uint8Array.of(0x12, 0x34)],
        ['cfg_node_address', address],
      ]),
    );
  });
});

describe('the generated file', () => {
  test('names every table with its rows, and none of libbpf', () => {
    expect(generated['MAPS']).toEqual({
      services: { key: 'Extent', value: 'ServiceRow', keySize: 8, valueSize: ROW.size, maxEntries: 10 },
      noted: { key: null, value: 'Noted', keySize: 4, valueSize: 4, maxEntries: 10 },
    });
    expect(generated['LB_SERVICE_ROW_SIZE']).toBe(ROW.size);
  });

  test('has our enums only', () => {
    expect(generated['NodeFlag']).toEqual({ LB_NODE_READY: 4 });
    expect(source).not.toContain('bpf_map_type');
  });

  test('has the layout as text, with padding', () => {
    expect(generated['LAYOUT']).toEqual(
      expect.arrayContaining(['services.value.pad 42 u16', 'services.value.list.base 44 u32', 'noted.value.id 0 u32']),
    );
  });

  test('says what a field is for where C does, and has an inner struct once', () => {
    expect(source).toContain('  id: number; // never 0\n');
    expect(source.match(/export interface Extent /g)).toHaveLength(1);
  });
});
