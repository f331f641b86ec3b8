// What people are shown: counters of Services and endpoints, and the events of `turnout monitor`.
import { type Part, part } from '../part.ts';

const STATS = 'stats.test.ts';
const MONITOR = 'monitor.test.ts';

export const SEEING: readonly Part[] = [
  part(
    'what a flow counted becomes that of its Service and endpoint at its end',
    { file: 'flow.h', from: '\tstats_flow_ended(s);\n', to: '' },
    STATS,
    /what a flow counted becomes its Service and endpoint's when it ends/,
    /a flow that ends after its endpoint has left counts for the Service alone/,
  ),
  part(
    'an endpoint that has left is given no counts of its flows, since its row may be that of another',
    { file: 'stats.h', from: 'if (!backend_is_current(backend_id, s->backend_generation))', to: 'if (0)' },
    STATS,
    /a flow that ends after its endpoint has left counts for the Service alone/,
  ),
  part(
    'a packet counts at one hook of those that it meets',
    {
      file: 'hook_tc.h',
      from: 'if (!(flow.rewrite.flags & LB_REWRITE_REPLY) || flow.state->flags & LB_FLOW_GUARD) {',
      to: 'if (1) {',
    },
    STATS,
    /a masqueraded packet meets three hooks and counts once/,
  ),
  part(
    'the first packet of a flow counts',
    {
      file: 'ingress_new.h',
      from: 'stats_packet(flow->state, skb, p->l3_offset, false);\n\treturn ingress_rewrite',
      to: 'return ingress_rewrite',
    },
    STATS,
    /packets and octets of both directions stand in the row of their flow/,
  ),
  part(
    'octets are those from the IP header on',
    { file: 'stats.h', from: '__u32 bytes = skb->len - l3_offset', to: '__u32 bytes = skb->len' },
    STATS,
    /packets and octets of both directions stand in the row of their flow/,
  ),
  part(
    'a drop counts for the Service that it was meant for',
    { file: 'event.h', from: 'if (service_id)\n\t\tstats_drop(service_id);', to: '' },
    STATS,
    /drops count for the Service they were meant for/,
  ),
  part(
    'a refusal counts for its Service',
    { file: 'reject.h', from: 'if (service_id)\n\t\tstats_reject(service_id);', to: '' },
    'refusals.test.ts',
    /a refused connection is counted for its Service/,
  ),
  part(
    'a monitor that has gone costs nothing: its lease ends',
    { file: 'event.h', from: ' || bpf_ktime_get_coarse_ns() > wanted->until_ns)', to: ')' },
    MONITOR,
    /once nobody has renewed the lease nothing is told, and nothing counts as missed/,
  ),
  part(
    'a monitor is told what it asked for',
    { file: 'event.h', from: 'if (!wanted || !(wanted->kinds & 1 << kind) || ', to: 'if (!wanted || ' },
    MONITOR,
    /only the kinds that are asked for are told/,
  ),
  part(
    'a monitor is told how much it was not told',
    { file: 'event.h', from: '__sync_fetch_and_add(&wanted->missed, 1);', to: ';' },
    MONITOR,
    /a flood is told in part, and the rest counts as missed/,
  ),
  part(
    'events have a rate limit',
    { file: 'event.h', from: 'if (!rate_allows(reason, EVENT_WINDOW_NS, 1))\n\t\treturn 0;', to: '' },
    'events.test.ts',
    /a burst of refusals is told a few times and counted in full/,
  ),
];
