// Drops to a user without rights, then prints what works and what is refused. Arguments: object file, folder in a bpffs.

import type { BpfError } from '../../../src/native/bpf-error.ts';
import { BpfMap } from '../../../src/native/bpf-map.ts';
import { BpfObject } from '../../../src/native/bpf-object.ts';
import { addon } from '../../../src/native/load-addon.ts';
import { Netlink } from '../../../src/native/netlink.ts';
import { mountBpffs } from '../../../src/native/system.ts';

const NOBODY = 65534;
const [objectPath = '', bpffs = '', folder = ''] = process.argv.slice(2);
addon(); // the checkout may be closed to this user
process.setgroups?.([]);
process.setgid?.(NOBODY);
process.setuid?.(NOBODY);

const failure = async (action: () => unknown): Promise<unknown> => {
  try {
    await action();
    return 'nothing';
  } catch (error) {
    const { code, operation, message } = error as BpfError;
    return { code, operation, message };
  }
};

const object = BpfObject.open(objectPath);
console.log(
  JSON.stringify({
    described: BpfObject.describe(objectPath).maps.length,
    devices: Netlink.listDevices().length > 0,
    load: await failure(() => object.load()),
    mount: await failure(() => mountBpffs(folder)),
    pinned: await failure(() => BpfMap.openPinned(`${bpffs}/rows`)),
  }),
);
