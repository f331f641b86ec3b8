// A full table, lost entries, and connections of the node that would collide with ours (rules 6 and 7).
import { type Part, part } from '../part.ts';

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
  part(
    'what has ended is evicted before what waits for an answer',
    { file: 'flow_claim.h', from: 'return 3;', to: 'return 2;' },
    EVICTION,
    /flows that have ended go before those that nobody has answered yet/,
  ),
  part(
    'the next packet of a flow makes lost entries again',
    { file: 'flow.h', from: 'flow_repair(s, flow->rewrite.flow_id);', to: ';' },
    REPAIR,
    /the next packet of the client makes the reply's entry again/,
    /the next packet of the endpoint makes the client's entry again/,
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
  part(
    'a connection of the node whose port we have given out gets another',
    { file: 'hook_tc.h', from: 'if (!guard_is_needed(&p))', to: 'if (1)' },
    GUARD,
    /leaves by another port, is answered at its own, and ours is answered as before/,
    /is dropped by name when no other port is left/,
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
