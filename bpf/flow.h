/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Flows: finding, following, claiming, releasing. A flow is one row of flow_states and two to five rows of flows.
 * Invariant: an entry counts only while its claim equals its row's claim. So a row can be given to another flow at any
 * time without a scan for leftovers: they are found to be absent, and removed, by whoever meets them.
 */
#pragma once

#include "config.h"
#include "count.h"
#include "maps.h"
#include "packet.h"
#include "stats.h"

/* A row that is being filled or emptied. Nobody but its owner touches it. */
#define FLOW_BUSY 0xffffffff
#define FLOW_CLAIM_PROBES 32
#define FLOW_TOUCH_NS 1000000000ULL

struct flow {
	struct lb_flow_state *state;
	struct lb_rewrite rewrite; /* a copy: the map's element may be reused while we hold it */
};

static __always_inline void flow_key(struct lb_flow_key *key, enum lb_direction direction, __u8 protocol,
				     const union lb_addr *source, __be16 source_port, const union lb_addr *destination,
				     __be16 destination_port)
{
	key->source = *source;
	key->destination = *destination;
	key->source_port = source_port;
	key->destination_port = destination_port;
	key->protocol = protocol;
	key->direction = direction;
	key->pad = 0;
}

static __always_inline void flow_key_client_in(const struct lb_flow_state *s, struct lb_flow_key *key)
{
	flow_key(key, LB_IN, s->protocol, &s->client, s->client_port, &s->frontend, s->frontend_port);
}

static __always_inline void flow_key_reply_out(const struct lb_flow_state *s, struct lb_flow_key *key)
{
	flow_key(key, LB_OUT, s->protocol, &s->backend, s->backend_port, &s->client, s->stack_port);
}

static __always_inline void flow_key_forward_out(const struct lb_flow_state *s, struct lb_flow_key *key)
{
	flow_key(key, LB_OUT, s->protocol, &s->client, s->stack_port, &s->backend, s->backend_port);
}

static __always_inline void flow_key_reply_in(const struct lb_flow_state *s, struct lb_flow_key *key)
{
	flow_key(key, LB_IN, s->protocol, &s->backend, s->backend_port, &s->source, s->source_port);
}

static __always_inline void flow_key_steer_in(const struct lb_flow_state *s, struct lb_flow_key *key)
{
	flow_key(key, LB_IN, s->protocol, &s->backend, s->backend_port, &s->client, s->stack_port);
}

static __always_inline bool flow_is_closed(__u32 flags)
{
	return flags & LB_FLOW_RESET || (flags & LB_FLOW_CLIENT_FIN && flags & LB_FLOW_BACKEND_FIN);
}

/* How long this flow may be silent. The same rule serves the packet path and flow_expire. */
static __always_inline __u64 flow_timeout_ns(const struct lb_flow_state *s)
{
	__u32 flags = s->flags;

	if (s->protocol == IPPROTO_UDP)
		return flags & LB_FLOW_REPLIED ? cfg_udp_stream_ns : cfg_udp_unreplied_ns;
	if (s->protocol == IPPROTO_SCTP) {
		if (flow_is_closed(flags))
			return cfg_sctp_closed_ns;
		return flags & LB_FLOW_ESTABLISHED ? cfg_sctp_established_ns : cfg_sctp_init_ns;
	}
	if (flow_is_closed(flags))
		return cfg_tcp_closed_ns;
	if (!(flags & LB_FLOW_ESTABLISHED))
		return cfg_tcp_syn_ns;
	return flags & (LB_FLOW_CLIENT_FIN | LB_FLOW_BACKEND_FIN) ? cfg_tcp_close_wait_ns : cfg_tcp_established_ns;
}

static __always_inline bool flow_is_expired(const struct lb_flow_state *s, __u64 now_ns)
{
	__u64 last_seen_ns = s->last_seen_ns;

	/* Another CPU may have stamped the flow after we read the clock. */
	return now_ns > last_seen_ns && now_ns - last_seen_ns > flow_timeout_ns(s);
}

static __always_inline bool flow_find(const struct lb_flow_key *key, struct flow *flow)
{
	struct lb_rewrite *rewrite = bpf_map_lookup_elem(&flows, key);
	__u32 flow_id;

	if (!rewrite)
		return false;
	flow->rewrite = *rewrite;
	flow_id = flow->rewrite.flow_id;
	flow->state = bpf_map_lookup_elem(&flow_states, &flow_id);
	return flow->state && flow->state->claim == flow->rewrite.claim;
}

/* Removes an entry if it is still the one of this flow. */
static __noinline int flow_forget(const struct lb_flow_key *key, __u32 claim)
{
	struct lb_rewrite *rewrite = bpf_map_lookup_elem(&flows, key);

	if (rewrite && rewrite->claim == claim)
		bpf_map_delete_elem(&flows, key);
	return 0;
}

/* Ends a flow: whole flows go, never halves. Losing the race to another CPU means it is done already. */
static __noinline int flow_release(struct lb_flow_state *s)
{
	struct lb_flow_key key;
	__u32 claim, flags;

	if (!s)
		return 0;
	claim = s->claim;
	if (!claim || claim == FLOW_BUSY || !__sync_bool_compare_and_swap(&s->claim, claim, FLOW_BUSY))
		return 0;
	flags = s->flags;
	stats_flow_ended(s);
	flow_key_client_in(s, &key);
	flow_forget(&key, claim);
	flow_key_reply_out(s, &key);
	flow_forget(&key, claim);
	if (flags & LB_FLOW_MASQUERADE) {
		flow_key_forward_out(s, &key);
		flow_forget(&key, claim);
	}
	if (flags & LB_FLOW_SNAT) {
		flow_key_reply_in(s, &key);
		flow_forget(&key, claim);
	}
	if (flags & LB_FLOW_STEERED) {
		flow_key_steer_in(s, &key);
		flow_forget(&key, claim);
	}
	*(volatile __u32 *)&s->claim = 0;
	return 1;
}

/* A free row, marked busy; NULL when none was found in a few random places. */
static __noinline struct lb_flow_state *flow_claim(__u32 *flow_id)
{
	struct lb_flow_state *s;

	if (!flow_id)
		return NULL;
	for (int i = 0; i < FLOW_CLAIM_PROBES; i++) {
		__u32 row = bpf_get_prandom_u32() % cfg_flow_states;

		s = bpf_map_lookup_elem(&flow_states, &row);
		if (s && !s->claim && __sync_bool_compare_and_swap(&s->claim, 0, FLOW_BUSY)) {
			*flow_id = row;
			return s;
		}
	}
	return NULL;
}

/*
 * Inserts an entry for a flow of our own. 0: done; -EEXIST: another live flow owns the key; other: no room.
 * An entry of a flow that has ended is removed on the way.
 */
static __noinline int flow_insert(const struct lb_flow_key *key, const struct lb_rewrite *rewrite)
{
	struct flow other;
	int error;

	error = bpf_map_update_elem(&flows, key, rewrite, BPF_NOEXIST);
	if (error != -EEXIST)
		return error;
	if (flow_find(key, &other)) {
		if (!flow_is_closed(other.state->flags) && !flow_is_expired(other.state, bpf_ktime_get_coarse_ns()))
			return -EEXIST;
		flow_release(other.state);
	}
	/* A leftover, or just released: take the key over. */
	bpf_map_delete_elem(&flows, key);
	return bpf_map_update_elem(&flows, key, rewrite, BPF_NOEXIST);
}

/*
 * An association ends by ABORT or SHUTDOWN COMPLETE. The steps before (SHUTDOWN, SHUTDOWN ACK) shorten nothing: data may still be under way.
 * Its middle is whatever the client says after the backend's first packet, but for an INIT sent again: COOKIE ECHO, as a rule.
 */
static __always_inline void flow_track_sctp(const struct packet *p, bool reply, __u32 flags, __u32 *set, __u32 *clear)
{
	if (p->sctp_chunk == SCTP_ABORT || p->sctp_chunk == SCTP_SHUTDOWN_COMPLETE) {
		*set |= LB_FLOW_RESET;
		return;
	}
	/* Life after the end: its verification tag was wrong and the peer ignored it. */
	*clear = LB_FLOW_RESET;
	if (!reply && flags & LB_FLOW_REPLIED && !packet_opens(p))
		*set |= LB_FLOW_ESTABLISHED;
}

/* What a packet says about its flow. `reply`: it comes from the backend. Writes only what changes. */
static __always_inline void flow_track(struct lb_flow_state *s, const struct packet *p, bool reply)
{
	__u64 now_ns = bpf_ktime_get_coarse_ns();
	__u32 flags = s->flags, set = 0, clear = 0;

	if (now_ns - s->last_seen_ns > FLOW_TOUCH_NS)
		s->last_seen_ns = now_ns;
	if (reply)
		set |= LB_FLOW_REPLIED;
	if (p->key.protocol == IPPROTO_TCP && p->fragment != PACKET_LATER_FRAGMENT) {
		if (p->tcp_flags & TCP_FLAG_RST_BIT) {
			set |= LB_FLOW_RESET;
		} else {
			/* Life after RST: it was outside the window and the peer ignored it. */
			clear = LB_FLOW_RESET;
			if (!reply && flags & LB_FLOW_REPLIED && p->tcp_flags & TCP_FLAG_ACK_BIT)
				set |= LB_FLOW_ESTABLISHED;
			if (p->tcp_flags & TCP_FLAG_FIN_BIT)
				set |= reply ? LB_FLOW_BACKEND_FIN : LB_FLOW_CLIENT_FIN;
		}
	}
	if (p->key.protocol == IPPROTO_SCTP && p->fragment != PACKET_LATER_FRAGMENT)
		flow_track_sctp(p, reply, flags, &set, &clear);
	if ((flags & set) == set && !(flags & clear))
		return;
	/* Entering or leaving the closed state restarts the clock it is measured with. Atomic: egress sets LB_FLOW_SNAT meanwhile. */
	s->last_seen_ns = now_ns;
	__sync_fetch_and_or(&s->flags, set);
	if (flags & clear)
		__sync_fetch_and_and(&s->flags, ~clear);
}
