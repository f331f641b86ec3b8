// A callback that throws: the error is uncaught as any other, and the records after it still arrive. Argument: object file.

import { BpfObject } from '../../../src/native/bpf-object.ts';
import { RingBuffer } from '../../../src/native/ring-buffer.ts';

const object = BpfObject.open(process.argv[2] ?? '');
await object.load();
const uncaught: string[] = [];
const records: number[] = [];
const { promise: done, resolve } = Promise.withResolvers<void>();
const emitThree = () => object.program('emit').testRun({ context: new Uint8Array(Uint32Array.of(3, 0, 0).buffer) });
process.on('uncaughtException', (error) => {
  uncaught.push(error.message);
  if (uncaught.length === 1) emitThree();
  else resolve();
});
const ring = new RingBuffer(object.map('records'), (bytes) => {
  records.push(bytes[0] ?? -1);
  if (bytes[0] === 1) throw new Error('one is too many');
});
emitThree();
await done;
ring.close();
console.log(JSON.stringify({ uncaught, records }));
