/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Flows: finding, following, claiming, releasing. A flow is one row of flow_states and two to five rows of flows.
 * Invariant: an entry counts only while its claim equals its row's claim. So a row can be given to another flow at any
 * time without a scan for leftovers: they are found to be absent, and removed, by whoever meets them.
 * Functions that are not static here are so for the verifier's sake: it proves them once, and not once for each place that calls them.
 * (They cannot be given a key: before 6.2 memory that a function was handed is refused as one.)
 */
#pragma once

#include "config.h"
#include "count.h"
#include "flow_entry.h"
#include "maps.h"
#include "packet.h"
#include "stats.h"

/* A row that is being filled or emptied. Nobody but its owner touches it. */
#define FLOW_BUSY 0xffffffff
#define FLOW_TOUCH_NS 1000000000ULL

struct flow {
	struct lb_flow_state *state;
	struct lb_rewrite rewrite; /* a copy: the map's element may be reused while we hold it */
};

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

/* Neither that of a free row nor of one that is being filled or emptied: an entry made of such a row is nobody's. */
static __always_inline bool flow_is_claim(__u32 claim)
{
	return claim && claim != FLOW_BUSY;
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
	return flow->state && flow_is_claim(flow->rewrite.claim) && flow->state->claim == flow->rewrite.claim;
}

/* Removes an entry if it is still the one of this flow. */
static __noinline int flow_forget(const struct lb_flow_key *key, __u32 claim)
{
	struct lb_rewrite *rewrite = bpf_map_lookup_elem(&flows, key);

	if (rewrite && rewrite->claim == claim)
		bpf_map_delete_elem(&flows, key);
	return 0;
}

/*
 * Ends the flow that has this row by this claim: whole flows go, never halves. Losing the race to another CPU means it is done already; the
 * row may be another flow's by then, which stays.
 */
__noinline int flow_release(struct lb_flow_state *s, __u32 claim)
{
	struct lb_flow_key key;
	__u32 flags;

	if (!s)
		return 0;
	if (!flow_is_claim(claim) || !__sync_bool_compare_and_swap(&s->claim, claim, FLOW_BUSY))
		return 0;
	flags = s->flags;
	stats_flow_ended(s);
	for (int entry = 0; entry < FLOW_ENTRIES; entry++) {
		if (!flow_has(flags, entry))
			continue;
		flow_entry_key(s, entry, &key);
		flow_forget(&key, claim);
	}
	*(volatile __u32 *)&s->claim = 0;
	return 1;
}

/* True while a flow that goes on owns this key. */
static __noinline int flow_is_live(const struct lb_flow_key *key)
{
	struct flow other;

	return flow_find(key, &other) && !flow_is_closed(other.state->flags) &&
	       !flow_is_expired(other.state, bpf_ktime_get_coarse_ns());
}

/*
 * Inserts an entry for a flow of our own. 0: done, or it was there already; -EEXIST: another live flow owns the key; other: no room.
 * An entry of a flow that has ended is removed on the way.
 */
static __always_inline int flow_insert(const struct lb_flow_key *key, const struct lb_rewrite *rewrite)
{
	struct flow other = {};
	int error;

	error = bpf_map_update_elem(&flows, key, rewrite, BPF_NOEXIST);
	if (error != -EEXIST)
		return error;
	if (flow_find(key, &other)) {
		if (other.rewrite.claim == rewrite->claim && other.rewrite.flow_id == rewrite->flow_id)
			return 0;
		/* Not the coarse clock: flow_expire, whose kind of program may not read it, comes here too. */
		if (!flow_is_closed(other.state->flags) && !flow_is_expired(other.state, bpf_ktime_get_ns()))
			return -EEXIST;
		flow_release(other.state, other.rewrite.claim);
	}
	/* A leftover, or just released: take the key over, unless another CPU has done so meanwhile. */
	flow_forget(key, other.rewrite.claim);
	return bpf_map_update_elem(&flows, key, rewrite, BPF_NOEXIST);
}

/* Makes one entry of the flow that has this row by this claim. As flow_insert(); -ESTALE: the row is not that flow's any more. */
__noinline int flow_put(const struct lb_flow_state *s, __u32 flow_id, __u32 entry, __u32 claim)
{
	struct lb_rewrite rewrite;
	struct lb_flow_key key;

	if (!s || flow_entry_key(s, entry, &key) || flow_entry_rewrite(s, flow_id, entry, &rewrite))
		return -EINVAL;
	/* Asked after all was read, and of both: else the key of one flow might lead to another, or to a row that nobody has. */
	if (rewrite.claim != claim || *(const volatile __u32 *)&s->claim != claim)
		return -ESTALE;
	return flow_insert(&key, &rewrite);
}

/*
 * Makes entries again that the flow has lost: somebody removed them, or a migration did not find room. Until then what needs them is
 * dropped or leaves untranslated, so this is asked once a second of a flow in use, and of all flows in turn by flow_expire.
 */
__noinline int flow_repair(const struct lb_flow_state *s, __u32 flow_id)
{
	struct lb_rewrite *rewrite;
	struct lb_flow_key key;
	__u32 claim;

	if (!s)
		return 0;
	claim = s->claim;
	if (!flow_is_claim(claim))
		return 0;
	for (int entry = 0; entry < FLOW_ENTRIES; entry++) {
		if (!flow_has(s->flags, entry))
			continue;
		flow_entry_key(s, entry, &key);
		rewrite = bpf_map_lookup_elem(&flows, &key);
		if (rewrite && rewrite->claim == claim)
			continue;
		/* Of a flow that ends meanwhile a leftover is made at most, which counts as absent. Another flow's live entry stays. */
		if (!flow_put(s, flow_id, entry, claim))
			count(LB_FLOW_REPAIRED);
	}
	return 0;
}

/*
 * Who resets a connection forgets it: what comes from the other side afterwards was under way, FIN and all, and is not life. What comes
 * from the same side is: its reset was none (a forged one, or one outside of the window), and netfilter, which knows the window, would
 * not have believed it either. A FIN is not enough: it may have been overtaken, and after it nothing is long to live.
 */
static __always_inline void flow_track_reset(bool reply, __u32 *set, __u32 *clear)
{
	*set |= LB_FLOW_RESET | (reply ? LB_FLOW_BACKEND_RESET : 0);
	*clear = reply ? 0 : LB_FLOW_BACKEND_RESET;
}

static __always_inline __u32 flow_track_alive(bool reply, __u32 flags)
{
	return reply == !!(flags & LB_FLOW_BACKEND_RESET) ? LB_FLOW_RESET | LB_FLOW_BACKEND_RESET : 0;
}

/*
 * An association ends by ABORT or SHUTDOWN COMPLETE. The steps before (SHUTDOWN, SHUTDOWN ACK) shorten nothing: data may still be under way.
 * Its middle is whatever the client says after the backend's first packet, but for an INIT sent again: COOKIE ECHO, as a rule.
 */
static __always_inline void flow_track_sctp(const struct packet *p, bool reply, __u32 flags, __u32 *set, __u32 *clear)
{
	if (p->sctp_chunk == SCTP_ABORT || p->sctp_chunk == SCTP_SHUTDOWN_COMPLETE) {
		flow_track_reset(reply, set, clear);
		return;
	}
	*clear = flow_track_alive(reply, flags);
	if (!reply && flags & LB_FLOW_REPLIED && !packet_opens(p))
		*set |= LB_FLOW_ESTABLISHED;
}

static __always_inline void flow_track_tcp(const struct packet *p, bool reply, __u32 flags, __u32 *set, __u32 *clear)
{
	if (p->tcp_flags & TCP_FLAG_RST_BIT) {
		flow_track_reset(reply, set, clear);
		return;
	}
	if (p->tcp_flags & TCP_FLAG_FIN_BIT)
		*set |= reply ? LB_FLOW_BACKEND_FIN : LB_FLOW_CLIENT_FIN;
	else
		*clear = flow_track_alive(reply, flags);
	if (!reply && flags & LB_FLOW_REPLIED && p->tcp_flags & TCP_FLAG_ACK_BIT)
		*set |= LB_FLOW_ESTABLISHED;
}

/* What a packet says about its flow. `reply`: it comes from the backend. Writes only what changes. */
static __always_inline void flow_track(const struct flow *flow, const struct packet *p, bool reply)
{
	__u64 now_ns = bpf_ktime_get_coarse_ns();
	struct lb_flow_state *s = flow->state;
	__u32 flags = s->flags, set = 0, clear = 0;

	if (now_ns - s->last_seen_ns > FLOW_TOUCH_NS) {
		s->last_seen_ns = now_ns;
		flow_repair(s, flow->rewrite.flow_id);
	}
	if (reply)
		set |= LB_FLOW_REPLIED;
	if (p->key.protocol == IPPROTO_UDP && !reply && flags & LB_FLOW_REPLIED)
		set |= LB_FLOW_ESTABLISHED;
	if (p->key.protocol == IPPROTO_TCP && p->fragment != PACKET_LATER_FRAGMENT)
		flow_track_tcp(p, reply, flags, &set, &clear);
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
