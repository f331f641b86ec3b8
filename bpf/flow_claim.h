/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Room for a new flow: a free row, or that of a flow that is worth less than the new one. */
#pragma once

#include "flow.h"

#define FLOW_CLAIM_PROBES 32
#define FLOW_CLAIM_WALK 256

/*
 * Who goes first when there is no room; zero: never. What has ended or was silent for too long, then what nobody has answered, then
 * handshakes that the client has not finished and questions that were answered once (DNS): a flood of first packets takes the place of its
 * own kind. As netfilter's early_drop spares what is assured, connections that are established and datagrams that go back and forth stay.
 */
__noinline int flow_dispensability(const struct lb_flow_state *s, __u64 now_ns)
{
	__u32 flags;

	if (!s)
		return 0;
	flags = s->flags;
	if (flow_is_closed(flags) || flow_is_expired(s, now_ns))
		return 3;
	if (!(flags & LB_FLOW_REPLIED))
		return 2;
	return flags & LB_FLOW_ESTABLISHED ? 0 : 1;
}

static __always_inline struct lb_flow_state *flow_row(__u32 row)
{
	return bpf_map_lookup_elem(&flow_states, &row);
}

/*
 * From `first` on, row by row: the next that is free or whose flow may go; -1 where there is none near. For a table nearly full of
 * connections in use, whose last free rows chance misses: one new flow in five at 95 %. A flood does not come here, it finds its own kind.
 */
__noinline int flow_walk(__u32 first, __u64 now_ns)
{
	for (__u32 i = 0; i < FLOW_CLAIM_WALK; i++) {
		__u32 row = (first + i) % cfg_flow_states, claim;
		struct lb_flow_state *s = flow_row(row);

		if (!s)
			break;
		claim = *(const volatile __u32 *)&s->claim;
		if (!claim || (claim != FLOW_BUSY && flow_dispensability(s, now_ns)))
			return row;
	}
	return -1;
}

/*
 * Marks a row busy and says which; -1 where there is none. Looks at a few random places, so that no list of free rows is fought for; where
 * all are taken, the most dispensable flow among them makes room, of equals the one that was silent for longest.
 */
__noinline int flow_claim(void)
{
	__u64 now_ns = bpf_ktime_get_coarse_ns(), oldest_ns = 0;
	struct lb_flow_state *s;
	__u32 most = 0, victim = 0, claim = 0;

	for (int i = 0; i < FLOW_CLAIM_PROBES; i++) {
		__u32 row = bpf_get_prandom_u32() % cfg_flow_states, dispensability, holder;

		s = flow_row(row);
		if (!s)
			return -1;
		holder = *(const volatile __u32 *)&s->claim;
		if (!holder && __sync_bool_compare_and_swap(&s->claim, 0, FLOW_BUSY))
			return row;
		dispensability = flow_is_claim(holder) ? flow_dispensability(s, now_ns) : 0;
		if (!dispensability || dispensability < most || (dispensability == most && s->last_seen_ns >= oldest_ns))
			continue;
		most = dispensability;
		oldest_ns = s->last_seen_ns;
		victim = row;
		claim = holder;
	}
	if (!most)
		victim = flow_walk(bpf_get_prandom_u32() % cfg_flow_states, now_ns);
	s = flow_row(victim);
	if (!s)
		return -1;
	if (!most)
		claim = s->claim;
	if (claim) {
		if (!flow_release(s, claim))
			return -1;
		count(LB_FLOW_EVICTED);
	}
	/* Else another CPU was faster: its flow is as good as ours. */
	return __sync_bool_compare_and_swap(&s->claim, 0, FLOW_BUSY) ? (int)victim : -1;
}

/*
 * The rest of a claimed row: whose packet this is, and that nothing was counted yet. Answers with its claim: from here on entries of the flow
 * count, and the row may be taken for another flow.
 */
static __always_inline __u32 flow_begin(struct lb_flow_state *s, const struct packet *p, __u32 flags)
{
	__u32 claim = (bpf_get_prandom_u32() & ~2U) | 1; /* neither 0 nor FLOW_BUSY */

	s->client = p->key.source;
	s->client_port = p->key.source_port;
	s->stack_port = p->key.source_port;
	s->protocol = p->key.protocol;
	__builtin_memset(&s->source, 0, sizeof(s->source));
	s->source_port = 0;
	s->flags = flags;
	s->last_seen_ns = bpf_ktime_get_coarse_ns();
	s->started_ns = s->last_seen_ns;
	s->request_packets = 0;
	s->request_bytes = 0;
	s->reply_packets = 0;
	s->reply_bytes = 0;
	__sync_lock_test_and_set(&s->claim, claim); /* after all of the above, for whoever finds it by its row */
	return claim;
}
