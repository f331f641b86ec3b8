// What tells flows apart, what begins one, and what goes on: rules 5 and 7, and the claim.
import { also, type Part, part } from '../part.ts';

const LIFE = 'flow-life.test.ts';
const CLAIMS = 'claims.test.ts';

export const FLOWS: readonly Part[] = [
  also(
    part(
      'a second flow to one endpoint gets another client port in between',
      { file: 'new_flow.h', from: 'i < STACK_PORT_PROBES && error', to: 'i < 1 && error' },
      'translation.test.ts',
      /a flow that meets another one at the endpoint gets another port in between/,
    ),
    'netns/client-ports.test.ts',
    /pods on ptp > two frontends with one backend may be used from one port at once/,
  ),
  part(
    'the reply names the flow that has its own port',
    {
      file: 'flow_entry.h',
      from: 'rewrite->source_port = s->stack_port;\n\t\trewrite->destination_port = s->backend_port;',
      to: 'rewrite->source_port = s->client_port;\n\t\trewrite->destination_port = s->backend_port;',
    },
    'translation.test.ts',
    /a flow that meets another one at the endpoint gets another port in between/,
  ),
  part(
    'a packet that begins nothing and belongs to no flow is dropped at a frontend',
    {
      file: 'ingress_new.h',
      from: 'return drop(skb, p, LB_DROP_NO_FLOW, frontend->service_id);',
      to: 'return leave(skb, dev, p);',
    },
    LIFE,
    /that nobody knows .* is dropped by that name, unchanged/,
  ),
  part(
    'SCTP begins with INIT and with nothing else',
    { file: 'packet.h', from: 'return p->sctp_chunk == SCTP_INIT;', to: 'return true;' },
    'sctp.test.ts',
    /that nobody knows .* is dropped by that name at every frontend, unchanged/,
  ),
  also(
    part(
      'a packet to our SNAT range that nobody knows is dropped',
      { file: 'ingress_new.h', from: 'return drop(skb, p, LB_DROP_NO_FLOW, 0);', to: 'return TCX_NEXT;' },
      'own-ports.test.ts',
      /that no flow explains \((TCP A|TCP SA|UDP ?)\)/,
    ),
    'repair.test.ts',
    /until then a masqueraded flow's reply is dropped by name, not given to the node's own stack/,
  ),
  part(
    'a new connection to our SNAT range is for the stack to answer',
    { file: 'ingress_new.h', from: 'if (p->key.protocol == IPPROTO_TCP && packet_opens(p))', to: 'if (0)' },
    'own-ports.test.ts',
    /that no flow explains \(TCP S\)/,
  ),
  part(
    'sockets of the host keep their ports',
    {
      file: 'ingress_new.h',
      from: 'if (known_to_socket(skb, &p->key, p->is_v4) || known_to_conntrack',
      to: 'if (known_to_conntrack',
    },
    'own-ports.test.ts',
    /a packet to a socket of this node passes, whatever its port/,
  ),
  part(
    'a node port of the host own connections passes in their midst',
    {
      file: 'ingress_new.h',
      from: '(frontend->flags & LB_FRONTEND_NODE_PORT && known_to_socket(skb, &p->key, p->is_v4))',
      to: '0',
    },
    'own-ports.test.ts',
    /a packet to a socket of this node passes, whatever its port/,
  ),
  part(
    "netfilter's flows to our SNAT range pass",
    {
      file: 'ingress_new.h',
      from: 'p->is_v4) || known_to_conntrack(skb, &p->key, p->is_v4))\n\t\treturn TCX_NEXT;\n\tif (p->key.protocol',
      to: 'p->is_v4))\n\t\treturn TCX_NEXT;\n\tif (p->key.protocol',
    },
    'conntrack.test.ts',
    /a packet to a port of the SNAT range is dropped, until conntrack knows its flow/,
  ),
  part(
    "netfilter's connections to a frontend pass in their midst",
    { file: 'ingress_new.h', from: 'if (known_to_conntrack(skb, &p->key, p->is_v4) ||\n', to: 'if (\n' },
    'conntrack.test.ts',
    /over .* TCP > a packet in the midst of a connection to a ClusterIP passes unchanged/,
    /over .* TCP > a packet in the midst of a flow to a node port passes unchanged/,
  ),
  also(
    part(
      "netfilter's UDP flows with a reply pass at a node port",
      {
        file: 'ingress_new.h',
        from: 'known_to_conntrack(skb, &p->key, p->is_v4) == KNOWN_ANSWERED)\n\t\treturn TCX_NEXT;\n\n\tswitch',
        to: '0)\n\t\treturn TCX_NEXT;\n\n\tswitch',
      },
      'conntrack.test.ts',
      /over .* UDP > a packet in the midst of a flow to a node port passes unchanged/,
    ),
    'netns/pod-masquerade.test.ts',
    /masqueraded by iptables > to a node port is answered, and the Service there too: IPv[46] UDP/,
  ),
  part(
    'a UDP flow of netfilter without a reply is no reason to pass',
    {
      file: 'ingress_new.h',
      from: 'known_to_conntrack(skb, &p->key, p->is_v4) == KNOWN_ANSWERED)\n\t\treturn TCX_NEXT;\n\n\tswitch',
      to: 'known_to_conntrack(skb, &p->key, p->is_v4))\n\t\treturn TCX_NEXT;\n\n\tswitch',
    },
    'conntrack.test.ts',
    /over .* UDP > a client that was there before the Service gets through/,
  ),
  also(
    part(
      'a SYN sent again keeps its endpoint',
      {
        file: 'hook_tc.h',
        from: 'return flow_is_closed(s->flags) || flow_is_expired(s, bpf_ktime_get_coarse_ns());',
        to: 'return true;',
      },
      LIFE,
      /goes on when its endpoint has left the Service, and a SYN sent again stays with it/,
    ),
    'netns/client-ports.test.ts',
    /pods on ptp > a SYN that is sent again goes where the first one went/,
  ),
  part(
    'the port of a closed connection can be used again',
    { file: 'hook_tc.h', from: 'return flow_is_closed(s->flags) || flow_is_expired', to: 'return flow_is_expired' },
    LIFE,
    /that has ended by .* makes room for the next of the same port/,
  ),
  part(
    'a closed flow gives way to one of another frontend',
    { file: 'flow.h', from: '!flow_is_closed(other.state->flags) && !flow_is_expired', to: '!flow_is_expired' },
    LIFE,
    /that has ended leaves its port to the next, also through another frontend/,
  ),
  part(
    'a closed flow gives way to a connection straight to its endpoint',
    { file: 'hook_tc.h', from: 'if (packet_accepts(&p) && flow_is_closed(flow.state->flags)) {', to: 'if (0) {' },
    LIFE,
    /that has ended .* leaves its port to one straight to the endpoint/,
  ),
  part(
    'UDP selects again once its endpoint has left',
    { file: 'hook_tc.h', from: 'if (!backend_is_current(s->backend_id, s->backend_generation)) {', to: 'if (0) {' },
    LIFE,
    /a datagram over .* > selects again once its endpoint has left/,
    /is rejected once the last endpoint has left/,
  ),
  part(
    'TCP stays with an endpoint that has left',
    { file: 'hook_tc.h', from: 'if (p->key.protocol != IPPROTO_UDP) {', to: 'if (0) {' },
    LIFE,
    /goes on when its endpoint has left the Service, and a SYN sent again stays with it/,
  ),
  part(
    'a flow ends with all of its entries',
    { file: 'flow.h', from: 'if (!flow_has(flags, entry))', to: 'if (!flow_has(flags, entry) || entry == FLOW_CLIENT_IN)' },
    LIFE,
    /silence ends a flow with all of its entries/,
  ),
  part(
    'a masqueraded flow ends with the entry of its way out',
    { file: 'flow.h', from: 'if (!flow_has(flags, entry))', to: 'if (!flow_has(flags, entry) || entry == FLOW_FORWARD_OUT)' },
    LIFE,
    /silence ends a flow with all of its entries/,
  ),
  part(
    'a masqueraded flow ends with the reservation of its port',
    { file: 'flow.h', from: 'if (!flow_has(flags, entry))', to: 'if (!flow_has(flags, entry) || entry == FLOW_REPLY_IN)' },
    LIFE,
    /silence ends a flow with all of its entries/,
  ),
  part(
    'without a free row a new flow is dropped',
    {
      file: 'new_flow.h',
      from: 'if (flow_id < 0 || !s)\n\t\treturn NEW_FLOW_FULL;',
      to: 'if (flow_id < 0 || !s)\n\t\treturn NEW_FLOW_COLLISION;',
    },
    LIFE,
    /where every flow is in use a new one is dropped by that name/,
  ),
  part(
    'no free client port is a counted drop of its own name',
    { file: 'new_flow.h', from: 'return error == -EEXIST ? NEW_FLOW_COLLISION : NEW_FLOW_FULL;', to: 'return NEW_FLOW_FULL;' },
    'events.test.ts',
    /a third flow of one client port to one endpoint finds no port in between/,
  ),
  part(
    'an entry counts only while its claim is that of its row',
    {
      file: 'flow.h',
      from: 'return flow->state && flow_is_claim(flow->rewrite.claim) && flow->state->claim == flow->rewrite.claim;',
      to: 'return flow->state != NULL;',
    },
    CLAIMS,
    /entries whose row .* are absent, at both hooks/,
  ),
  part(
    'an entry made of a row that nobody has is absent',
    { file: 'flow.h', from: 'return claim && claim != FLOW_BUSY;', to: 'return 1;' },
    CLAIMS,
    /entries that were made of .* while it was so are absent/,
  ),
  part(
    'a leftover is taken over',
    {
      file: 'flow.h',
      from: '\tflow_forget(key, other.rewrite.claim);\n\treturn bpf_map_update_elem(&flows, key, rewrite, BPF_NOEXIST);',
      to: '\treturn -EEXIST;',
    },
    CLAIMS,
    /a leftover gives its key to who needs it/,
  ),
  part(
    'a flow takes along its own entries only',
    {
      file: 'flow.h',
      from: 'if (rewrite && rewrite->claim == claim)\n\t\tbpf_map_delete_elem',
      to: 'if (rewrite)\n\t\tbpf_map_delete_elem',
    },
    CLAIMS,
    /a flow that ends leaves entries alone that are no longer its own/,
  ),
  part(
    'requests keep a flow alive, with both halves',
    { file: 'hook_tc.h', from: 'flow_track(&flow, &p, flow.rewrite.flags & LB_REWRITE_REPLY);', to: ';' },
    'one-way.test.ts',
    /requests alone keep/,
  ),
  part(
    'replies keep a flow alive, with both halves',
    { file: 'hook_tc.h', from: 'flow_track(&flow, &p, true);', to: ';' },
    'one-way.test.ts',
    /replies alone keep/,
  ),
  part(
    'a clock that another processor has read later is no sign of age',
    { file: 'flow.h', from: 'return now_ns > last_seen_ns && now_ns', to: 'return now_ns' },
    'one-way.test.ts',
    /a packet that another processor stamped a moment later than this one looked is not too old/,
  ),
];
