// Ends by process.exit with a follower and a ring buffer open. Argument: object file.

import { BpfObject } from '../../../src/native/bpf-object.ts';
import { Netlink } from '../../../src/native/netlink.ts';
import { RingBuffer } from '../../../src/native/ring-buffer.ts';

const object = BpfObject.open(process.argv[2] ?? '');
await object.load();
new RingBuffer(object.map('records'), () => {});
Netlink.follow(() => {});
console.log('"leaving"');
process.exit(0);
