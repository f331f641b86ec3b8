import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { BpfLink } from '../../src/native/bpf-link.ts';
import { BpfMap } from '../../src/native/bpf-map.ts';
import { BpfObject } from '../../src/native/bpf-object.ts';
import { BpfProgram } from '../../src/native/bpf-program.ts';
import { isBpffs, mountBpffs, unpin } from '../../src/native/system.ts';
import { bpfErrorOf } from './bpf-error-of.ts';
import { compile, folderForTest, temporaryFolder } from './compiled-object.ts';
import { bpffsForTest } from './mounted-bpffs.ts';
import { u32 } from './u32.ts';

const folder = temporaryFolder();
let path: string;
beforeAll(() => {
  path = compile('probe', folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function loaded(): Promise<BpfObject> {
  const object = BpfObject.open(path);
  onTestFinished(() => object.close());
  await object.load();
  return object;
}

test('a pinned map outlives its object, keeps its rows and its description', async () => {
  const pin = join(bpffsForTest(), 'rows');
  const object = await loaded();
  object.map('rows').set(u32(5), new Uint8Array(32).fill(6));
  object.map('rows').pin(pin);
  const described = object.map('rows').describe();
  object.close();

  const map = BpfMap.openPinned(pin);
  onTestFinished(() => map.close());
  expect(map.get(u32(5))).toEqual(new Uint8Array(32).fill(6));
  expect([map.name, map.type, map.keySize, map.valueSize, map.maxEntries]).toEqual(['rows', 1, 4, 32, 4096]);
  expect(map.describe()).toEqual(described);
  map.unpin(pin);
  expect(bpfErrorOf(() => BpfMap.openPinned(pin))).toMatchObject({ code: 'ENOENT', operation: 'map.openPinned' });
  map.close();
  map.close();
  for (const action of [() => map.get(u32(5)), () => map.keys(), () => map.mmap(), () => map.pin(pin), () => map.describe()]) {
    expect(bpfErrorOf(action).code).toBe('ECLOSED');
  }
});

test('a pinned program runs', async () => {
  const pin = join(bpffsForTest(), 'add');
  const object = await loaded();
  object.program('add').pin(pin);
  object.close();
  const program = BpfProgram.openPinned(pin);
  onTestFinished(() => program.close());
  expect(program.name).toBe('add');
  expect(program.testRun({ context: u32(1, 2, 0) }).context).toEqual(u32(1, 2, 3));
});

test('a taken name is EEXIST, a missing folder ENOENT', async () => {
  const bpffs = bpffsForTest();
  const map = (await loaded()).map('rows');
  map.pin(join(bpffs, 'rows'));
  expect(bpfErrorOf(() => map.pin(join(bpffs, 'rows')))).toMatchObject({ code: 'EEXIST', operation: 'map.pin' });
  expect(bpfErrorOf(() => map.pin(join(bpffs, 'no/such/rows'))).code).toBe('ENOENT');
});

test('where no bpffs is mounted, every kind of pin says so and what to type', async () => {
  const plain = folderForTest();
  const pin = join(plain, 'pin');
  const object = await loaded();
  for (const action of [
    () => object.map('rows').pin(pin),
    () => object.program('add').pin(pin),
    () => BpfMap.openPinned(pin),
    () => BpfProgram.openPinned(pin),
    () => BpfLink.openPinned(pin),
  ]) {
    const error = bpfErrorOf(action);
    expect(error.code).toBe('ENOTBPFFS');
    expect(error.message).toContain(plain);
    expect(error.message).toContain('mount -t bpf bpf');
  }
});

test('unpin removes pins only, never ordinary files', () => {
  const file = join(folderForTest(), 'file');
  writeFileSync(file, 'precious');
  expect(bpfErrorOf(() => unpin(file)).code).toBe('ENOTBPFFS');
  expect(bpfErrorOf(() => unpin(join(bpffsForTest(), 'missing'))).code).toBe('ENOENT');
});

test('each kind of pin is opened as what it is', async () => {
  const bpffs = bpffsForTest();
  const object = await loaded();
  object.map('rows').pin(join(bpffs, 'map'));
  object.program('add').pin(join(bpffs, 'program'));
  expect(bpfErrorOf(() => BpfMap.openPinned(join(bpffs, 'program'))).code).toBe('EWRONGKIND');
  expect(bpfErrorOf(() => BpfProgram.openPinned(join(bpffs, 'map'))).code).toBe('EWRONGKIND');
});

test('a bpffs is recognised, and mounting twice is fine', () => {
  const plain = folderForTest();
  const bpffs = bpffsForTest();
  mountBpffs(bpffs);
  expect([isBpffs(plain), isBpffs(bpffs), isBpffs('/no/such/folder')]).toEqual([false, true, false]);
  expect(bpfErrorOf(() => mountBpffs('/no/such/folder'))).toMatchObject({ code: 'ENOENT', operation: 'mountBpffs' });
});
