// Rules 3 and 11: a source of ours is decided at ingress and resolved at egress; the mark leads through FORWARD.
import { also, type Part, part } from '../part.ts';

const FILE = 'masquerade.test.ts';
const PORTS = 'snat-ports.test.ts';
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
    {
      file: 'snat.h',
      from: 'return bpf_map_update_elem(&flows, &key, &flow->rewrite, BPF_EXIST) ? LB_DROP_FLOWS_FULL : 0;',
      to: 'return 0;',
    },
    'claims.test.ts',
    /a packet that finds its entry pending when the source is there already/,
  ),
  also(
    part(
      'the masquerade mark is set at ingress',
      { file: 'ingress_new.h', from: 'skb->mark |= cfg_masquerade_mark;', to: ';' },
      FILE,
      LEAVES,
      /marks of others pass both hooks/,
    ),
    'netns/firewall.test.ts',
    /FORWARD policy drop by iptables-nft, pods on a bridge with br_netfilter > an external client still reaches pods here and there/,
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
    { file: 'snat.h', from: 'return lb_addr_is_zero(source) ? LB_DROP_NO_SOURCE : 0;', to: 'return 0;' },
    FILE,
    /without an address to masquerade with the packet is dropped by that name/,
  ),
  also(
    part(
      'a pod that is chosen for its own connection is masqueraded',
      { file: 'ingress_new.h', from: 'choice->masquerade = true; /* hairpin', to: '; /* hairpin' },
      FILE,
      /an endpoint that asks its own Service is answered by way of this node/,
    ),
    'netns/paths.test.ts',
    /pods on a bridge with br_netfilter, routes between nodes, socket path off > IPv[46] TCP > a pod that is chosen for its own connection/,
  ),
  part(
    'a pod that asks itself from the port that it serves on gets another port in between',
    { file: 'new_flow.h', from: 'if (is_hairpin && s->stack_port == s->backend_port)\n\t\t\tcontinue;', to: '' },
    FILE,
    /an endpoint that asks its own Service from the port that it serves on is answered there/,
  ),
  part(
    "the client's own port is kept where it is ours to give",
    { file: 'snat.h', from: '!(s->flags & LB_FLOW_GUARD) ?', to: '0 ?' },
    FILE,
    /the client's own port is kept where it lies in the range/,
  ),
  {
    name: 'a port that a flow of ours has is not given out',
    changes: [
      { file: 'snat.h', from: 'if (flow_is_live(&key) || known', to: 'if (known' },
      {
        file: 'flow.h',
        from: 'error = bpf_map_update_elem(&flows, key, rewrite, BPF_NOEXIST);',
        to: 'error = bpf_map_update_elem(&flows, key, rewrite, BPF_ANY);',
      },
    ],
    noticed: [
      { file: `test/datapath/${FILE}`, name: /two clients with the same port get two ports/ },
      { file: `test/datapath/${FILE}`, name: /fifty flows to one endpoint get fifty ports/ },
    ],
  },
  also(
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
    'netns/snat-ports.test.ts',
    /IPv[46] UDP > ports are given out until none is left, which is counted/,
  ),
  also(
    part(
      'a port of netfilter is not given out',
      { file: 'snat.h', from: ' || known_to_conntrack(skb, &key, is_v4)', to: '' },
      'conntrack.test.ts',
      /a port that conntrack has given to another flow is not given out/,
    ),
    'netns/pod-masquerade.test.ts',
    /masqueraded by iptables > to a port of ours keeps it: we give out another one: IPv[46] TCP/, // the guard helps UDP
  ),
  also(
    part(
      'a port of a socket is not given out',
      { file: 'snat.h', from: ' || known_to_socket(skb, &key, is_v4))', to: ')' },
      PORTS,
      /a port of a socket of this node is not given out/,
    ),
    'netns/snat-ports.test.ts',
    /a port that one of them has is not given out: IPv[46] UDP/,
  ),
  part(
    'a flow that has lost its entries finds its port again',
    { file: 'snat.h', from: 'hash = snat_hash(s);', to: 'hash = bpf_get_prandom_u32();' },
    PORTS,
    /a flow whose entries were lost finds the same port again/,
  ),
  part(
    'a port whose flow has ended can be given out',
    {
      file: 'flow.h',
      from: 'return flow_find(key, &other) && !flow_is_closed(other.state->flags) &&\n\t       !flow_is_expired(other.state, bpf_ktime_get_coarse_ns());',
      to: 'return flow_find(key, &other);',
    },
    PORTS,
    /when the flow that has the last port is reset, the next one gets it at once/,
  ),
  part(
    'a port is looked for more than a few times',
    { file: 'snat.h', from: 'i < SNAT_PROBES && error', to: 'i < 16 && error' },
    'snat-fill.test.ts',
    /with ports taken here and the.* > at 95 percent of the range/,
    /of a range of a hundred ports each is found/,
  ),
  part(
    'each flow looks for a port by a step of its own',
    { file: 'snat.h', from: 'start + i * step', to: 'start + i' },
    'snat-fill.test.ts',
    /with ports taken in one run > at (50|75|95) percent of the range/,
  ),
  part(
    'a flow that two processors resolve at once has one port',
    {
      file: 'snat.h',
      from: 'if (flags & LB_FLOW_RESOLVING)',
      to: 'if (0)',
    },
    'claims.test.ts',
    /two first packets of one flow at once/,
  ),
  part(
    'who comes second leaves by the port that the first has found',
    { file: 'snat.h', from: 'if (!(flags & LB_FLOW_SNAT)) {', to: 'if (1) {' },
    'claims.test.ts',
    /a packet that finds its entry pending when the source is there already/,
  ),
  part(
    'who finds no source lets the next packet look',
    { file: 'snat.h', from: '__sync_fetch_and_and(&s->flags, ~LB_FLOW_RESOLVING);', to: ';' },
    'claims.test.ts',
    /a flow that found no source looks again/,
  ),
  part(
    'a guarded connection keeps its port when a second packet comes too early',
    { file: 'hook_tc.h', from: 'reason != LB_DROP_SNAT_RACED && ', to: '' },
    'guard.test.ts',
    /two first packets at once/,
  ),
];
