import { LB_EXPIRE_SIZE, readExpire, writeExpire } from '../../src/datapath/layout.gen.ts';
import type { Datapath } from './datapath.ts';

/** One pass of flow_expire over the whole table: flows that are left, and flows that it ended. */
export function expire(datapath: Datapath): { inUse: number; expired: number } {
  const context = new Uint8Array(LB_EXPIRE_SIZE);
  writeExpire(context, 0, { first: 0, count: datapath.map('flow_states').maxEntries, inUse: 0, expired: 0 });
  const { inUse, expired } = readExpire(datapath.object.program('flow_expire').testRun({ context }).context);
  return { inUse, expired };
}
