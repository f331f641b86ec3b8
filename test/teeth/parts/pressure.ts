// A full table, lost entries, and connections of the node that would collide with ours (rules 6 and 7).
import { also, type Part, part } from '../part.ts';

const EVICTION = 'eviction.test.ts';
const REPAIR = 'repair.test.ts';
const GUARD = 'guard.test.ts';

export const PRESSURE: readonly Part[] = [
  part(
    'a full table makes room for a first packet',
    { file: 'flow_claim.h', from: 'if (!flow_release(s, claim))', to: 'if (1)' },
    EVICTION,
    /ten times its size of first packets takes no flow that is in use, and each is let in/,
    /a handshake in the midst of a flood comes to its end/,
  ),
  also(
    part(
      'what goes on after an answer is not evicted',
      {
        file: 'flow_claim.h',
        from: 'return flags & LB_FLOW_ESTABLISHED ? 0 : 1;',
        to: 'return 2;',
      },
      EVICTION,
      /ten times its size of first packets takes no flow that is in use, and each is let in/,
      /a flood that is answered, by an endpoint that listens, takes no established flow/,
    ),
    'netns/flood.test.ts',
    /of SYNs that nobody answers ends no connection in use, and lets new ones in/,
  ),
  part(
    'the last rows of a table that is nearly full are found',
    { file: 'flow_claim.h', from: 'victim = flow_walk(bpf_get_prandom_u32() % cfg_flow_states, now_ns);', to: 'return -1;' },
    EVICTION,
    /connections in use may fill the table to its last row/,
    /the one flow that nobody answered, among connections in use that fill the table, makes room/,
  ),
  part(
    'what has ended is evicted before what waits for an answer',
    { file: 'flow_claim.h', from: 'return 3;', to: 'return 2;' },
    EVICTION,
    /flows that have ended go before those that nobody has answered yet/,
  ),
  also(
    part(
      'the next packet of a flow makes lost entries again',
      { file: 'flow.h', from: 'flow_repair(s, flow->rewrite.flow_id);', to: ';' },
      REPAIR,
      /the next packet of the client makes the reply's entry again/,
      /the next packet of the endpoint makes the client's entry again/,
    ),
    'netns/lost-entries.test.ts',
    /with pods on ptp, a flow that lost > the entry "backend out" > goes on by its own packets/,
  ),
  part(
    'rounds over the table make lost entries again',
    { file: 'expire.h', from: 'flow_repair(s, row);', to: ';' },
    REPAIR,
    /without any packet the controller's rounds do it/,
  ),
  part(
    'a flow that began after the round did is left alone',
    {
      file: 'expire.h',
      from: '(__s64)(pass->now_ns - s->started_ns) > (__s64)FLOW_TOUCH_NS',
      to: 'pass->now_ns != s->started_ns',
    },
    REPAIR,
    /a flow that began after the round did/,
  ),
  part(
    'a datagram that was answered once makes room',
    { file: 'flow_claim.h', from: 'return flags & LB_FLOW_ESTABLISHED ? 0 : 1;', to: 'return 0;' },
    EVICTION,
    /connections that were answered once and went no further make room/,
  ),
  part(
    'an entry that is there is not written again',
    { file: 'flow.h', from: 'if (rewrite && rewrite->claim == claim)\n\t\t\tcontinue;', to: '' },
    REPAIR,
    /a flow with all of its entries writes none/,
  ),
  also(
    part(
      'a connection of the node whose port we have given out gets another',
      { file: 'hook_tc.h', from: 'if (!guard_is_needed(&p))', to: 'if (1)' },
      GUARD,
      /leaves by another port, is answered at its own, and ours is answered as before/,
      /is dropped by name when no other port is left/,
    ),
    'netns/snat-ports.test.ts',
    /one that comes later with a port that was given out is answered, too/,
  ),
  part(
    'node ports are guarded too',
    {
      file: 'guard.h',
      from: ' ||\n\t       (port >= GUARD_NODE_PORT_MIN && port <= GUARD_NODE_PORT_MAX);',
      to: ';',
    },
    'netns/pod-masquerade.test.ts',
    /masqueraded by iptables > to a node port that the server itself used before is answered/,
  ),
  part(
    'a connection of the node that is guarded is followed',
    {
      file: 'hook_tc.h',
      from: 'flow_track(&flow, &p, false);\n\t\t\tstats_packet(flow.state, skb, p.l3_offset, false);',
      to: '',
    },
    GUARD,
    /keeps that port for its later packets, and is known as answered/,
  ),
  part(
    'a connection of the node that finds no port leaves no flow',
    { file: 'hook_tc.h', from: 'flow.state->flags & LB_FLOW_GUARD)\n\t\t\t\tflow_release(', to: '0)\n\t\t\t\tflow_release(' },
    GUARD,
    /is dropped by name when no other port is left, and gets one once there is/,
  ),
  part(
    'a connection of the node is guarded only where its reply would be ours',
    {
      file: 'guard.h',
      from: 'return flow_find(&reply, &flow) &&',
      to: 'if (!flow_find(&reply, &flow))\n\t\treturn true;\n\treturn',
    },
    GUARD,
    /passes unchanged where nobody has its port, to another remote end, and outside of the range/,
  ),
];
