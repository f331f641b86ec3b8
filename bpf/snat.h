/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Masquerading: decided at ingress, resolved at egress, where the device and so the source address are known (rule 3). */
#pragma once

#include "flow.h"
#include "host_alias.h"
#include "known.h"
#include "new_flow.h"

/*
 * Each flow walks the range by a step of its own: flows that meet at one busy port part again, so that with a share f of the range taken a
 * search of n probes fails in f^n of all cases, also where the ports in use lie in runs. 128 probes: 1 of 700 with 95 % taken. Ranges of
 * up to that many ports are searched as a whole.
 */
#define SNAT_PROBES 128
#define SNAT_STEPS 32

/* Primes. Two of them together are more than any range has ports, so at most one divides it: all others lead to every port. */
static const __u16 snat_steps[SNAT_STEPS] = { 263,  307,  353,  409,  479,  557,  641,   733,   839,   967,  1103,
					      1259, 1429, 1621, 1847, 2099, 2381, 2699,  3061,  3467,  3929, 4447,
					      5039, 5701, 6449, 7297, 8263, 9349, 10589, 11981, 13553, 15329 };

/* Start of the search: the same flow finds the same port again after its entries were lost, so nothing is reset. */
static __always_inline __u32 snat_hash(const struct lb_flow_state *s)
{
	__u32 h = s->client.word[3] * 0x9e3779b1;

	h = (h ^ s->client.word[2] ^ s->client.word[1]) * 0x85ebca6b;
	h = (h ^ s->client.word[0] ^ s->backend.word[3]) * 0xc2b2ae35;
	h ^= h >> 15;
	h = (h ^ ((__u32)s->client_port << 16 | s->backend_port)) * 0x27d4eb2f;
	h ^= h >> 13;
	h = (h ^ s->frontend.word[3] ^ s->frontend_port) * 0x165667b1;
	return h ^ h >> 16;
}

static __always_inline __u32 snat_step(__u32 hash)
{
	__u32 range = (__u32)cfg_snat_port_max - cfg_snat_port_min + 1, first = hash * 0x9e3779b1 >> 27;
	__u32 step = snat_steps[first % SNAT_STEPS];

	return range % step ? step : snat_steps[(first + 1) % SNAT_STEPS];
}

/*
 * Takes a port for the flow whose first packet `request` is to rewrite. 0: it is the flow's; -EEXIST: somebody has it; other: no room.
 * Flows of our own are asked first, they cost least. Not static, so that the verifier looks at it once and not again for each probe.
 */
__noinline int snat_take(struct __sk_buff *skb, const struct lb_flow_state *s, const struct lb_rewrite *request,
			 const union lb_addr *source, __u32 port)
{
	struct lb_rewrite reply;
	struct lb_flow_key key;
	bool is_v4;

	if (!s || !request || !source)
		return -EINVAL;
	flow_key(&key, LB_IN, s->protocol, &s->backend, s->backend_port, source, port);
	is_v4 = lb_addr_is_v4(source);
	if (flow_is_live(&key) || known_to_conntrack(skb, &key, is_v4) || known_to_socket(skb, &key, is_v4))
		return -EEXIST;
	flow_entry_rewrite(s, request->flow_id, FLOW_REPLY_IN, &reply);
	reply.claim = request->claim; /* the row may be another flow's by now: then this is a leftover */
	return flow_insert(&key, &reply);
}

/* The address that the flow's packets leave `dev` with; zero counts as none. 0, or the counter that names why not. */
static __always_inline int snat_source(const struct packet *p, const struct lb_device *dev, const struct lb_flow_state *s,
				       union lb_addr *source)
{
	*source = p->is_v4 ? dev->source_v4 : dev->source_v6;
	if (s->flags & LB_FLOW_GUARD)
		*source = s->client; /* it is the node's own already */
	if (s->flags & LB_FLOW_OWN_ADDRESS && !host_alias(&s->client, source))
		return LB_DROP_NO_ALIAS; /* the address left the node since the packet came in */
	return lb_addr_is_zero(source) ? LB_DROP_NO_SOURCE : 0;
}

/*
 * Finds a source for the flow and inserts the reply's entry, first and only where nothing was: that is the reservation. 0, or the counter
 * that names why not.
 */
static __always_inline int snat_find(struct __sk_buff *skb, const struct packet *p, const struct lb_device *dev,
				     const struct flow *flow)
{
	struct lb_flow_state *s = flow->state;
	__u32 start, first, hash, step;
	union lb_addr source;
	__be16 port = 0;
	int error;

	error = snat_source(p, dev, s, &source);
	if (error)
		return error;
	hash = snat_hash(s);
	step = snat_step(hash);
	first = bpf_ntohs(s->client_port);
	/* Keep the client's own port where it is ours to give; people read captures. What needs a guard is looked for another. */
	start = first >= cfg_snat_port_min && first <= cfg_snat_port_max && !(s->flags & LB_FLOW_GUARD) ?
			first - cfg_snat_port_min :
			hash % 65536;
	error = -EEXIST;
	for (__u32 i = 0; i < SNAT_PROBES && error == -EEXIST; i++) {
		port = snat_range_port(start + i * step);
		error = snat_take(skb, s, &flow->rewrite, &source, port);
	}
	if (error)
		return error == -EEXIST ? LB_DROP_SNAT_EXHAUSTED : LB_DROP_FLOWS_FULL;
	/* The row was given to another flow meanwhile; what was inserted for this one is a leftover. */
	if (*(const volatile __u32 *)&s->claim != flow->rewrite.claim)
		return LB_DROP_SNAT_RACED;
	s->source = source;
	s->source_port = port;
	if (s->flags & LB_FLOW_GUARD)
		count(LB_FLOW_GUARDED);
	count(LB_SNAT_ALLOCATED);
	return 0;
}

/*
 * Completes the request's entry of a flow whose source is pending, and with it `flow`. 0, or the counter that names why not. One packet looks
 * for the source; another that comes meanwhile is sent again by its client. Whoever finds an entry pending after that has read it too early,
 * or it was made again from what was known before: the source stands.
 */
static __noinline int snat_resolve(struct __sk_buff *skb, const struct packet *p, const struct lb_device *dev, struct flow *flow)
{
	struct lb_flow_state *s = flow->state;
	__u32 flags, flow_id, claim;
	struct lb_flow_key key;
	int reason;

	if (!s)
		return LB_DROP_NO_SOURCE;
	flags = __sync_fetch_and_or(&s->flags, LB_FLOW_RESOLVING);
	if (!(flags & LB_FLOW_SNAT)) {
		if (flags & LB_FLOW_RESOLVING)
			return LB_DROP_SNAT_RACED;
		reason = snat_find(skb, p, dev, flow);
		if (reason) {
			__sync_fetch_and_and(&s->flags, ~LB_FLOW_RESOLVING);
			return reason;
		}
		/* Source and port are there before the flag that says so: nobody makes an entry of half of them. */
		__sync_fetch_and_or(&s->flags, LB_FLOW_SNAT);
	}
	flow_id = flow->rewrite.flow_id;
	claim = flow->rewrite.claim;
	flow_entry_rewrite(s, flow_id, FLOW_FORWARD_OUT, &flow->rewrite);
	flow->rewrite.claim = claim;
	key = p->key;
	return bpf_map_update_elem(&flows, &key, &flow->rewrite, BPF_EXIST) ? LB_DROP_FLOWS_FULL : 0;
}
