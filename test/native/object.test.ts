import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { BtfType } from '../../src/native/addon.ts';
import { BpfObject } from '../../src/native/bpf-object.ts';
import { bpfErrorOf, bpfRejectionOf } from './bpf-error-of.ts';
import { compile, temporaryFolder } from './compiled-object.ts';
import { u32 } from './u32.ts';

const folder = temporaryFolder();
let probe: string;
let rejected: string;
beforeAll(() => {
  probe = compile('probe', folder);
  rejected = compile('rejected', folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function opened(path = probe): BpfObject {
  const object = BpfObject.open(path);
  onTestFinished(() => object.close());
  return object;
}

describe('describing an object', () => {
  test('gives maps with their types, offsets, typedef names and doc tags', () => {
    const { maps } = BpfObject.describe(probe);
    const rows = maps.find((map) => map.name === 'rows');
    expect(rows).toMatchObject({ type: 1, keySize: 4, valueSize: 32, maxEntries: 4096, key: { kind: 'typedef', name: '__u32' } });
    const value = rows?.value as Extract<BtfType, { kind: 'struct' | 'union' }>;
    expect(value).toMatchObject({ kind: 'struct', name: 'row', size: 32 });
    expect(value.members.map((member) => [member.name, member.offset, member.doc])).toEqual([
      ['address', 0, null],
      ['port', 16, 'network order'],
      ['pad', 18, null],
      ['color', 20, null],
      ['balance', 24, null],
    ]);
    expect(value.members[0]?.type).toMatchObject({
      kind: 'union',
      name: 'address',
      members: [
        { name: 'octet', type: { kind: 'array', length: 16, size: 16, element: { kind: 'typedef', name: '__u8' } } },
        { name: 'word', type: { kind: 'array', length: 4, size: 16, element: { kind: 'typedef', name: '__be32' } } },
      ],
    });
    expect(value.members[1]?.type).toMatchObject({ kind: 'typedef', name: '__be16', type: { kind: 'typedef', name: '__u16' } });
    expect(value.members[4]?.type).toMatchObject({ type: { kind: 'int', size: 8, signed: true } });
  });

  test('leaves out the maps that libbpf makes of variables, and gives variables instead', () => {
    const { maps, variables } = BpfObject.describe(probe);
    expect(maps.map((map) => map.name).toSorted()).toEqual(['per_cpu', 'records', 'rows', 'slots', 'tiny', 'without_batch']);
    expect(variables.find((variable) => variable.name === 'verdict')).toMatchObject({
      section: '.rodata',
      doc: 'what the tc programs return',
      type: { kind: 'typedef', name: '__u32' },
    });
    expect(variables.find((variable) => variable.name === 'written')).toMatchObject({ section: '.bss', doc: null });
  });

  test('gives programs with their sections and attach types', () => {
    const { programs } = BpfObject.describe(probe);
    expect(programs.find((program) => program.name === 'seen_a')).toEqual({
      name: 'seen_a',
      section: 'tcx/ingress',
      type: 3,
      expectedAttachType: 46,
    });
    expect(programs.find((program) => program.name === 'refuse_connect')).toMatchObject({ section: 'cgroup/connect4', type: 18 });
  });

  test('gives every named enum and struct, also those in no map, and tells bit-fields', () => {
    const { enums, structs } = BpfObject.describe(probe);
    expect(enums.find((type) => type.name === 'color')?.values).toEqual([
      { name: 'COLOR_RED', value: 1 },
      { name: 'COLOR_BLUE', value: 7 },
    ]);
    const unused = structs.find((type) => type.name === 'unused_in_maps');
    expect(unused?.members.map((member) => member.bitfieldBits)).toEqual([3, 5]);
  });
});

describe('opening', () => {
  test('a missing file is ENOENT', () => {
    expect(bpfErrorOf(() => BpfObject.open(join(folder, 'missing.o')))).toMatchObject({
      code: 'ENOENT',
      operation: 'object.open',
    });
  });

  test.each([
    ['text', 'this is not an ELF file'],
    ['an empty file', ''],
    ['an ELF header and then nothing', '\x7fELF\x02\x01\x01'],
  ])('garbage (%s) is refused with what libbpf says', (_, text) => {
    const path = join(folder, 'garbage.o');
    writeFileSync(path, text, 'latin1');
    const error = bpfErrorOf(() => BpfObject.open(path));
    expect(error.operation).toBe('object.open');
    expect(error.code).toMatch(/^E[A-Z]+$/);
    expect(error.detail).toContain('garbage.o');
  });
});

describe('configuring', () => {
  test('a variable set before load is what the programs see', async () => {
    const object = opened();
    object.setVariable('verdict', u32(5));
    await object.load();
    expect(object.program('seen_b').testRun({ data: new Uint8Array(64) }).returnValue).toBe(5);
  });

  test('a variable of another size is refused with both sizes', () => {
    const error = bpfErrorOf(() => opened().setVariable('verdict', new Uint8Array(8)));
    expect(error).toMatchObject({ code: 'EVALUESIZE', operation: 'object.setVariable' });
    expect(error.message).toContain('4 octets, got 8');
  });

  test('unknown variables, maps and programs are ENOENT and named', () => {
    const object = opened();
    for (const action of [
      () => object.setVariable('nonsense', u32(1)),
      () => object.setMaxEntries('nonsense', 1),
      () => object.setAutoload('nonsense', false),
    ]) {
      const error = bpfErrorOf(action);
      expect(error.code).toBe('ENOENT');
      expect(error.message).toContain('nonsense');
    }
  });

  test('map sizes and autoload hold', async () => {
    const object = opened();
    object.setMaxEntries('rows', 17);
    object.setAutoload('grow', false);
    await object.load();
    expect(object.map('rows').maxEntries).toBe(17);
    expect(bpfErrorOf(() => object.program('grow'))).toMatchObject({ code: 'ENOTLOADED', operation: 'object.program' });
    expect(object.program('pass').name).toBe('pass');
  });

  test.each([0, -1, 1.5, Number.NaN, 2 ** 32])('%s rows are refused', (count) => {
    expect(bpfErrorOf(() => opened().setMaxEntries('rows', count)).code).toBe('EINVAL');
  });

  test('a reused map is shared by both objects', async () => {
    const first = opened();
    await first.load();
    const second = opened();
    second.reuseMap('rows', first.map('rows'));
    await second.load();
    first.map('rows').set(u32(9), new Uint8Array(32).fill(3));
    expect(second.map('rows').get(u32(9))).toEqual(new Uint8Array(32).fill(3));
    expect(second.map('rows').id).toBe(first.map('rows').id);
  });

  test('a map of another shape is not reused', async () => {
    const first = opened();
    await first.load();
    expect(bpfErrorOf(() => opened().reuseMap('rows', first.map('slots'))).code).toBe('EMAPMISMATCH');
  });
});

describe('loading', () => {
  test('a rejected program shows the verifier log, and only close() is left', async () => {
    const object = opened(rejected);
    const error = await bpfRejectionOf(object.load());
    expect(error).toMatchObject({ code: 'EACCES', operation: 'object.load' });
    expect(error.message).not.toContain('root');
    expect(error.detail).toContain('reads_beyond');
    expect(error.detail).toContain('invalid access to packet');
    expect(bpfErrorOf(() => object.program('reads_beyond')).code).toBe('ENOTLOADED');
    expect((await bpfRejectionOf(object.load())).code).toBe('ENOTLOADED');
    object.close();
  });

  test('maps and programs are there after load only, configuration before load only', async () => {
    const object = opened();
    expect(bpfErrorOf(() => object.map('rows'))).toMatchObject({ code: 'ENOTLOADED', operation: 'object.map' });
    expect(bpfErrorOf(() => object.program('pass')).code).toBe('ENOTLOADED');
    await object.load();
    expect(bpfErrorOf(() => object.setVariable('verdict', u32(1)))).toMatchObject({
      code: 'ELOADED',
      operation: 'object.setVariable',
    });
    expect(bpfErrorOf(() => object.setMaxEntries('rows', 1)).code).toBe('ELOADED');
    expect((await bpfRejectionOf(object.load())).code).toBe('ELOADED');
    expect(bpfErrorOf(() => object.map('nonsense'))).toMatchObject({ code: 'ENOENT', operation: 'object.map' });
    expect(bpfErrorOf(() => object.program('nonsense')).code).toBe('ENOENT');
    expect(object.map('rows')).toBe(object.map('rows'));
  });

  test('during a load the object is busy', async () => {
    const object = opened();
    const loading = object.load();
    expect(bpfErrorOf(() => object.describe()).code).toBe('EBUSY');
    expect((await bpfRejectionOf(object.load())).code).toBe('EBUSY');
    await loading;
  });

  test('close() during a load makes the load fail with ECLOSED', async () => {
    const object = opened();
    const loading = object.load();
    object.close();
    expect((await bpfRejectionOf(loading)).code).toBe('ECLOSED');
  });

  test('two objects load at once and do not share rows', async () => {
    const [first, second] = [opened(), opened()];
    await Promise.all([first.load(), second.load()]);
    first.map('rows').set(u32(1), new Uint8Array(32));
    expect(second.map('rows').get(u32(1))).toBeNull();
  });
});

describe('closing', () => {
  test('closes the maps and programs that it handed out; twice is fine; every use afterwards is ECLOSED', async () => {
    const object = opened();
    await object.load();
    const map = object.map('rows');
    const program = object.program('pass');
    object.close();
    object.close();
    for (const action of [
      () => object.describe(),
      () => object.map('rows'),
      () => object.program('pass'),
      () => object.setVariable('verdict', u32(1)),
      () => map.get(u32(1)),
      () => program.testRun({}),
    ]) {
      expect(bpfErrorOf(action).code).toBe('ECLOSED');
    }
    expect((await bpfRejectionOf(object.load())).code).toBe('ECLOSED');
  });
});
