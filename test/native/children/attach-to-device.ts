// In a namespace with v0: attaches, replaces, pins, detaches; prints what was seen at each step.
// Arguments: object file, kind of attach point, folder in a bpffs.

import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import type { AttachPoint } from '../../../src/native/addon.ts';
import { listTcxPrograms } from '../../../src/native/attached-programs.ts';
import type { BpfError } from '../../../src/native/bpf-error.ts';
import { BpfLink } from '../../../src/native/bpf-link.ts';
import { BpfObject } from '../../../src/native/bpf-object.ts';
import { Netlink } from '../../../src/native/netlink.ts';
import { recordQueue } from './record-queue.ts';

const [objectPath = '', kind = '', bpffs = ''] = process.argv.slice(2);
const object = BpfObject.open(objectPath);
await object.load();
const ifindex = Netlink.listDevices().find((device) => device.name === 'v0')?.ifindex ?? 0;
const points: Record<string, AttachPoint> = {
  tcx: { kind: 'tcx', ifindex, direction: 'egress' },
  clsact: { kind: 'clsact', ifindex, direction: 'egress', priority: 77, handle: 5 },
};
const point = points[kind] as Extract<AttachPoint, { kind: 'tcx' | 'clsact' }>;
const records = recordQueue(object.map('records'));
const socket = createSocket('udp4');

/** The letter of the program that saw a packet leave. */
async function seen(): Promise<string> {
  records.drop();
  socket.send('hello', 9, '192.0.2.2');
  return await records.next();
}

const codeOf = (action: () => unknown): string => {
  try {
    action();
    return 'nothing';
  } catch (error) {
    return (error as BpfError).code;
  }
};

const report: Record<string, unknown> = {};
let link = object.program('seen_a').attach(point);
report['attached'] = await seen();
const info = link.info();
report['info'] = [info.ifindex === ifindex, info.programId === object.program('seen_a').id, info.attachType];
report['listed'] = listTcxPrograms(ifindex, 'egress').map(({ name, linkId }) => [name, linkId === info.id]);
link.update(object.program('seen_b'));
report['updated'] = [await seen(), link.info().programId === object.program('seen_b').id];
report['unpinnedYet'] = codeOf(() => link.unpin());
report['pin'] = codeOf(() => link.pin(`${bpffs}/link`));
link.close();
link.close();
report['closed'] = codeOf(() => link.info());
report['afterClose'] = await seen();
link = point.kind === 'tcx' ? BpfLink.openPinned(`${bpffs}/link`) : BpfLink.openClsact(point);
link.update(object.program('seen_a'));
report['reopened'] = await seen();
if (point.kind === 'tcx') link.unpin();
link.detach();
report['detached'] = point.kind === 'tcx' ? link.info().ifindex : codeOf(() => link.info());

// A second one goes with its device.
link = object.program('seen_a').attach(point);
execFileSync('ip', ['link', 'del', 'v0']);
report['deviceGone'] = point.kind === 'tcx' ? link.info().ifindex : codeOf(() => link.info());
report['listedLater'] = listTcxPrograms(ifindex, 'egress');
report['noDevice'] = codeOf(() => object.program('seen_a').attach(point));
socket.close();
records.close();
object.close();
console.log(JSON.stringify(report));
