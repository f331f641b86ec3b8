import { readFileSync, rmSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { BpfObject } from '../../src/native/bpf-object.ts';
import { bpfErrorOf } from './bpf-error-of.ts';
import { compile, temporaryFolder } from './compiled-object.ts';
import { readU32, u32 } from './u32.ts';

const ROW = 16; // 12 octets, rounded up to 8
const folder = temporaryFolder();
let path: string;
beforeAll(() => {
  path = compile('probe', folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

async function loaded(): Promise<BpfObject> {
  const object = BpfObject.open(path);
  onTestFinished(() => object.close());
  await object.load();
  return object;
}

const mappings = () => readFileSync('/proc/self/maps', 'utf8').match(/bpf-map/g)?.length ?? 0;

test('JavaScript, the program and single lookups see the same memory', async () => {
  const object = await loaded();
  const view = object.map('slots').mmap();
  expect(view.byteLength).toBe(1000 * ROW);
  object.program('seen_a').testRun({ data: new Uint8Array(64) });
  expect(view[2 * ROW]).toBe(1);
  view[2 * ROW] = 40;
  object.program('seen_a').testRun({ data: new Uint8Array(64) });
  expect(object.map('slots').get(u32(2))?.[0]).toBe(41);
  view.set(u32(0xdeadbeef), 999 * ROW);
  expect(readU32(object.map('slots').get(u32(999)) ?? new Uint8Array(4))).toBe(0xdeadbeef);
  expect(object.map('slots').mmap()).toBe(view);
});

test('a view stays valid when the map and its object are closed', async () => {
  const object = await loaded();
  const view = object.map('slots').mmap();
  view[0] = 9;
  object.close();
  collectGarbage();
  view[ROW] = 10;
  expect([view[0], view[ROW]]).toEqual([9, 10]);
});

test('views are unmapped by the garbage collector', async () => {
  const before = mappings();
  for (let i = 0; i < 20; i++) {
    const object = BpfObject.open(path);
    await object.load();
    object.map('slots').mmap()[0] = 1;
    object.close();
  }
  expect(mappings()).toBeGreaterThan(before);
  for (let i = 0; i < 50 && mappings() > before; i++) {
    collectGarbage();
    await setImmediate();
  }
  expect(mappings()).toBeLessThanOrEqual(before);
});

test('a map without BPF_F_MMAPABLE is ENOTMMAPABLE', async () => {
  const object = await loaded();
  expect(bpfErrorOf(() => object.map('rows').mmap())).toMatchObject({ code: 'ENOTMMAPABLE', operation: 'map.mmap' });
});
