// In the near namespace: XDP on v0 sees what the far one sends. Arguments: object file, far namespace.

import { execFileSync } from 'node:child_process';
import { BpfObject } from '../../../src/native/bpf-object.ts';
import { Netlink } from '../../../src/native/netlink.ts';
import { recordQueue } from './record-queue.ts';

const [objectPath = '', far = ''] = process.argv.slice(2);
const object = BpfObject.open(objectPath);
await object.load();
const ifindex = Netlink.listDevices().find((device) => device.name === 'v0')?.ifindex ?? 0;
const records = recordQueue(object.map('records'));
const report: unknown[] = [];
for (const mode of ['generic', 'native', 'auto'] as const) {
  const link = object.program('pass').attach({ kind: 'xdp', ifindex, mode });
  records.drop();
  const send = `const s = require('node:dgram').createSocket('udp4'); s.send('x', 9, '192.0.2.1', () => s.close())`;
  execFileSync('nsenter', [`--net=/run/netns/${far}`, process.execPath, '-e', send]);
  report.push([mode, await records.next(), link.info().ifindex === ifindex]);
  link.close();
}
records.close();
object.close();
console.log(JSON.stringify(report));
