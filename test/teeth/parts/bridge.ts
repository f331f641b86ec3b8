// Rules 1 and 2: who a packet is for, and replies between two ports of one bridge.
import { also, type Part, part } from '../part.ts';

export const BRIDGE: readonly Part[] = [
  part(
    'on a bridge port only what is addressed to the bridge is ours',
    { file: 'tc_packet.h', from: 'if (mac[i] != dev->mac[i])\n\t\t\treturn false;', to: ';' },
    'bridge.test.ts',
    /a packet to another station passes unchanged/,
    /refuses only what is addressed to the bridge/,
  ),
  also(
    part(
      'elsewhere only what is addressed to this host is ours',
      { file: 'tc_packet.h', from: 'return skb->pkt_type == PACKET_HOST;', to: 'return true;' },
      'untouched.test.ts',
      /a packet that the network card saw but that is for another station passes unchanged/,
    ),
    'netns/foreign-frames.test.ts',
    /to another machine's hardware address are left alone/,
  ),
  part(
    'an ICMP error to another station is none of ours',
    { file: 'hook_tc.h', from: 'p.fragment || !packet_is_ours(skb, dev) ?', to: 'p.fragment ?' },
    'icmp.test.ts',
    /that is for another station passes unchanged/,
  ),
  also(
    part(
      'a flow that came in by a bridge port steers its replies to the bridge',
      { file: 'ingress_new.h', from: 'steer = dev->flags & LB_DEVICE_BRIDGE_PORT && !choice.masquerade;', to: 'steer = false;' },
      'bridge.test.ts',
      /the reply of an endpoint on the same bridge goes to the bridge/,
    ),
    'netns/paths.test.ts',
    /pods on a bridge, routes between nodes, socket path off > IPv[46] TCP > a pod reaches both endpoints through the ClusterIP/,
  ),
  part(
    'a masqueraded flow is not steered',
    { file: 'ingress_new.h', from: 'LB_DEVICE_BRIDGE_PORT && !choice.masquerade;', to: 'LB_DEVICE_BRIDGE_PORT;' },
    'bridge.test.ts',
    /a pod that reaches itself is masqueraded, not steered/,
  ),
  part(
    'a steered flow ends with the entry that steers',
    { file: 'flow.h', from: 'if (!flow_has(flags, entry))', to: 'if (!flow_has(flags, entry) || entry == FLOW_STEER_IN)' },
    'bridge.test.ts',
    /a steered flow ends with all of its entries/,
  ),
];
