// Looks into a node's tables from outside, without a process.
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { LB_FRONTEND_KEY_SIZE, writeFrontendKey } from '../src/datapath/layout.gen.ts';
import { BpfMap } from '../src/native/bpf-map.ts';
import { parseIp } from '../src/state/ip.ts';

const IPPROTO_TCP = 6;

/** True when some node of this bpffs translates TCP to this address and port. */
export function hasFrontend(bpffs: string, ip: string, port: number): boolean {
  const address = parseIp(ip);
  if (!address) throw new Error(`${ip} is no address`);
  const key = new Uint8Array(LB_FRONTEND_KEY_SIZE);
  writeFrontendKey(key, 0, { address, port, protocol: IPPROTO_TCP });
  return globSync(join(bpffs, 'turnout/*/*/maps/frontends')).some((path) => {
    const map = BpfMap.openPinned(path);
    const row = map.get(key);
    map.close();
    return row !== null;
  });
}
