// Rules 1 and 2: who a packet is for, and replies between two ports of one bridge.
import { type Part, part } from '../part.ts';

export const BRIDGE: readonly Part[] = [
  part(
    'on a bridge port only what is addressed to the bridge is ours',
    { file: 'hook_tc.h', from: 'if (mac[i] != dev->mac[i])\n\t\t\treturn false;', to: ';' },
    'bridge.test.ts',
    /a packet to another station passes unchanged/,
    /refuses only what is addressed to the bridge/,
  ),
  part(
    'elsewhere only what is addressed to this host is ours',
    { file: 'hook_tc.h', from: 'return skb->pkt_type == PACKET_HOST;', to: 'return true;' },
    'untouched.test.ts',
    /a packet that the network card saw but that is for another station passes unchanged/,
  ),
];
