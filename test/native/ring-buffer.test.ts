import { rmSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { BpfObject } from '../../src/native/bpf-object.ts';
import { RingBuffer } from '../../src/native/ring-buffer.ts';
import { bpfErrorOf } from './bpf-error-of.ts';
import { runChild } from './child.ts';
import { compile, temporaryFolder } from './compiled-object.ts';
import { readU32, u32 } from './u32.ts';

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

/** Has the program write records 0..count-1. */
const emit = (object: BpfObject, count: number) => object.program('emit').testRun({ context: u32(count, 0, 0) });

/** Opens a reader; `received(n)` resolves with all records as soon as there are n. */
function reader(object: BpfObject) {
  const records: number[] = [];
  let wake = () => {};
  const ring = new RingBuffer(object.map('records'), (bytes) => {
    records.push(readU32(bytes));
    wake();
  });
  onTestFinished(() => ring.close());
  const received = async (count: number): Promise<number[]> => {
    while (records.length < count) await new Promise<void>((resolve) => (wake = resolve));
    return records;
  };
  return { ring, records, received };
}

test('records arrive in order, those from before the reader too', async () => {
  const object = await loaded();
  emit(object, 3);
  const { received } = reader(object);
  expect(await received(3)).toEqual([0, 1, 2]);
  emit(object, 200);
  expect(await received(203)).toEqual([0, 1, 2, ...Array.from({ length: 200 }, (_, i) => i)]);
});

test('many bursts arrive whole', async () => {
  const object = await loaded();
  const { received } = reader(object);
  for (let burst = 1; burst <= 50; burst++) {
    emit(object, 100);
    expect(await received(burst * 100)).toHaveLength(burst * 100);
  }
});

test('nothing arrives after close(); closing twice and from within the callback is fine', async () => {
  const object = await loaded();
  const records: number[] = [];
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  const ring: RingBuffer = new RingBuffer(object.map('records'), (bytes) => {
    records.push(readU32(bytes));
    ring.close();
    ring.close();
    resolve();
  });
  emit(object, 5);
  await closed;
  emit(object, 5);
  for (let i = 0; i < 20; i++) await setImmediate();
  expect(records).toEqual([0]);
  // What is left is for the next reader.
  const { received } = reader(object);
  expect(await received(5)).toEqual([0, 1, 2, 3, 4]);
});

test('the reader outlives the map and the object', async () => {
  const object = await loaded();
  const { received } = reader(object);
  emit(object, 2);
  object.close();
  expect(await received(2)).toEqual([0, 1]);
});

test('a callback that throws makes an uncaught error, and loses no record', async () => {
  expect(await runChild('callback-throws', [path])).toEqual({
    uncaught: ['one is too many', 'one is too many'],
    records: [0, 1, 2, 0, 1, 2],
  });
});

test('a map of another type is EINVAL, a closed one ECLOSED', async () => {
  const object = await loaded();
  expect(bpfErrorOf(() => new RingBuffer(object.map('rows'), () => {}))).toMatchObject({
    code: 'EINVAL',
    operation: 'ringBuffer.open',
  });
  const map = object.map('records');
  map.close();
  expect(bpfErrorOf(() => new RingBuffer(map, () => {})).code).toBe('ECLOSED');
});
