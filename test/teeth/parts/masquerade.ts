// Rules 3 and 11: a source of ours is decided at ingress and resolved at egress; the mark leads through FORWARD.
import { type Part, part } from '../part.ts';

const FILE = 'masquerade.test.ts';
const LEAVES = /a packet to the .* leaves with an address and a port of this node/;

export const MASQUERADE: readonly Part[] = [
  part(
    'a pending source is resolved at the first egress',
    { file: 'hook_tc.h', from: 'if (flow.rewrite.flags & LB_REWRITE_PENDING) {', to: 'if (0) {' },
    FILE,
    LEAVES,
  ),
  part(
    'what was resolved is kept for the next packet',
    { file: 'snat.h', from: 'flow->rewrite.flags &= ~LB_REWRITE_PENDING;', to: '' },
    FILE,
    /later packets keep the port, and one port is counted for them all/,
  ),
  part(
    'the masquerade mark is set at ingress',
    { file: 'hook_tc.h', from: 'skb->mark |= cfg_masquerade_mark;', to: ';' },
    FILE,
    LEAVES,
    /marks of others pass both hooks/,
  ),
  part(
    'the masquerade mark is cleared at egress',
    { file: 'hook_tc.h', from: 'skb->mark &= ~cfg_masquerade_mark;', to: ';' },
    FILE,
    LEAVES,
    /marks of others pass both hooks/,
  ),
  part(
    'a device without an address masquerades nothing',
    { file: 'snat.h', from: 'if (lb_addr_is_zero(&source))', to: 'if (0)' },
    FILE,
    /without an address to masquerade with the packet is dropped by that name/,
  ),
  part(
    'a pod that is chosen for its own connection is masqueraded',
    { file: 'hook_tc.h', from: 'choice->masquerade = true; /* hairpin', to: '; /* hairpin' },
    FILE,
    /an endpoint that asks its own Service is answered by way of this node/,
  ),
  part(
    "the client's own port is kept where it is ours to give",
    { file: 'snat.h', from: 'first >= cfg_snat_port_min && first <= cfg_snat_port_max ?', to: '0 ?' },
    FILE,
    /the client's own port is kept where it lies in the range/,
  ),
  part(
    'the entry of the reply is the reservation of a port',
    {
      file: 'flow.h',
      from: 'error = bpf_map_update_elem(&flows, key, rewrite, BPF_NOEXIST);',
      to: 'error = bpf_map_update_elem(&flows, key, rewrite, BPF_ANY);',
    },
    FILE,
    /two clients with the same port get two ports/,
    /fifty flows to one endpoint get fifty ports/,
  ),
  part(
    'no free port is a counted drop',
    {
      file: 'snat.h',
      from: 'return error == -EEXIST ? LB_DROP_SNAT_EXHAUSTED : LB_DROP_FLOWS_FULL;',
      to: 'return LB_DROP_FLOWS_FULL;',
    },
    FILE,
    /when all ports are given out the next flow is dropped by that name/,
  ),
  part(
    'a port of netfilter is not given out',
    { file: 'snat.h', from: 'known_to_conntrack(skb, &key, p->is_v4) || ', to: '' },
    'conntrack.test.ts',
    /a port that conntrack has given to another flow is not given out/,
  ),
];
