// A worker thread with the addon of its own: loads, runs, follows; then waits to be terminated.

import { parentPort, workerData } from 'node:worker_threads';
import { BpfError } from '../../../src/native/bpf-error.ts';
import { BpfObject } from '../../../src/native/bpf-object.ts';
import { Netlink } from '../../../src/native/netlink.ts';
import { RingBuffer } from '../../../src/native/ring-buffer.ts';

const object = BpfObject.open(workerData as string);
await object.load();
new RingBuffer(object.map('records'), () => {});
Netlink.follow(() => {});
let isOwnError = false;
try {
  BpfObject.open('/no/such/file.o');
} catch (error) {
  isOwnError = error instanceof BpfError;
}
parentPort?.postMessage([object.program('pass').testRun({ data: new Uint8Array(64) }).returnValue, isOwnError]);
