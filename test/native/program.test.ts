import { rmSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BpfMap } from '../../src/native/bpf-map.ts';
import { BpfObject } from '../../src/native/bpf-object.ts';
import { BpfProgram } from '../../src/native/bpf-program.ts';
import { monotonicNs } from '../../src/native/system.ts';
import { bpfErrorOf, bpfRejectionOf } from './bpf-error-of.ts';
import { compile, temporaryFolder } from './compiled-object.ts';
import { readU32, u32 } from './u32.ts';

const folder = temporaryFolder();
let object: BpfObject;
beforeAll(async () => {
  object = BpfObject.open(compile('probe', folder));
  await object.load();
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  object.close();
});

const SK_BUFF_SIZE = 192;
const MARK_OFFSET = 8; // of struct __sk_buff
const frame = () => new Uint8Array(60).map((_, i) => i);

test('a tc program gets a packet and a context, and gives both back', () => {
  const result = object.program('seen_a').testRun({ data: frame(), context: new Uint8Array(SK_BUFF_SIZE) });
  expect(result.returnValue).toBe(3);
  expect(result.data).toEqual(frame());
  expect(readU32(result.context, MARK_OFFSET)).toBe(42);
  expect(result.durationNs).toBeGreaterThan(0);
});

test('an XDP program may change the length of the packet', () => {
  const result = object.program('grow').testRun({ data: frame() });
  expect(result.returnValue).toBe(3); // XDP_TX
  expect(result.data).toEqual(Uint8Array.of(...frame(), 0));
});

test('room for the packet that is too small is ENOSPC', () => {
  expect(bpfErrorOf(() => object.program('grow').testRun({ data: frame(), outputSize: 60 }))).toMatchObject({
    code: 'ENOSPC',
    operation: 'program.testRun',
  });
});

test('a syscall program takes and gives a context only, on the clock of monotonicNs', () => {
  const before = monotonicNs();
  const result = object.program('add').testRun({ context: u32(20, 22, 0) });
  expect([result.returnValue, readU32(result.context, 8), result.data.length]).toEqual([7, 42, 0]);
  const bss = object.map('.bss').get(u32(0)) ?? new Uint8Array(8);
  const written = new BigUint64Array(bss.slice(0, 8).buffer)[0] ?? 0n;
  expect(written).toBeGreaterThanOrEqual(before);
  expect(written).toBeLessThanOrEqual(monotonicNs());
});

test('a run on another thread gives the same', async () => {
  const input = { data: frame(), context: new Uint8Array(SK_BUFF_SIZE), repeat: 1000 };
  const results = await Promise.all(Array.from({ length: 8 }, () => object.program('seen_a').testRunAsync(input)));
  for (const result of results) expect([result.returnValue, readU32(result.context, MARK_OFFSET)]).toEqual([3, 42]);
});

test('a packet shorter than an Ethernet header is EINVAL, also on another thread', async () => {
  const input = { data: new Uint8Array(5) };
  expect(bpfErrorOf(() => object.program('seen_a').testRun(input)).code).toBe('EINVAL');
  expect(await bpfRejectionOf(object.program('seen_a').testRunAsync(input))).toMatchObject({
    code: 'EINVAL',
    operation: 'program.testRun',
  });
});

test('input that is no octets or no whole number is EINVAL', () => {
  const program = object.program('seen_a');
  expect(bpfErrorOf(() => program.testRun({ data: 'frame' as unknown as Uint8Array })).code).toBe('EINVAL');
  expect(bpfErrorOf(() => program.testRun({ data: frame(), repeat: -1 })).code).toBe('EINVAL');
  expect(bpfErrorOf(() => program.testRun({ data: frame(), outputSize: 0.5 })).code).toBe('EINVAL');
});

test('closing a program under a run on another thread is harmless', async () => {
  const other = BpfObject.open(`${folder}/probe.o`);
  await other.load();
  const running = other.program('seen_b').testRunAsync({ data: frame(), repeat: 100_000 });
  other.close();
  expect((await running).returnValue).toBe(3);
});

test('a program is found by its id, and the maps it uses by theirs', () => {
  const loaded = object.program('add');
  const found = BpfProgram.openById(loaded.id);
  try {
    expect([found.name, found.type, found.tag]).toEqual([loaded.name, loaded.type, loaded.tag]);
    expect(found.tag).toMatch(/^[0-9a-f]{16}$/);
    expect(found.mapIds()).toContain(object.map('.bss').id);
  } finally {
    found.close();
  }
  const bss = BpfMap.openById(object.map('.bss').id);
  expect(bss.valueSize).toBe(object.map('.bss').valueSize);
  bss.close();
});

test('an id that nothing has is ENOENT', () => {
  expect(bpfErrorOf(() => BpfProgram.openById(0x7fffffff))).toMatchObject({ code: 'ENOENT', operation: 'program.openById' });
  expect(bpfErrorOf(() => BpfMap.openById(0x7fffffff))).toMatchObject({ code: 'ENOENT', operation: 'map.openById' });
});
