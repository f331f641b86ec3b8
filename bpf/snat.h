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

/*
 * Finds a source for the flow whose first packet leaves by `dev`, inserts the reply's entry, completes the request's.
 * 0, or the counter that names why not. The reply's entry is inserted first and only where nothing was: that is the reservation.
 */
static __noinline int snat_resolve(struct __sk_buff *skb, const struct packet *p, const struct lb_device *dev, struct flow *flow)
{
	struct lb_flow_state *s = flow->state;
	struct lb_flow_key key;
	union lb_addr source;
	__be16 port = 0;
	__u32 start, first, hash, step;
	int error = -EEXIST;

	if (!s)
		return LB_DROP_NO_SOURCE;
	source = p->is_v4 ? dev->source_v4 : dev->source_v6;
	if (s->flags & LB_FLOW_GUARD)
		source = s->client; /* it is the node's own already */
	if (s->flags & LB_FLOW_OWN_ADDRESS && !host_alias(&s->client, &source))
		return LB_DROP_NO_ALIAS; /* the address left the node since the packet came in */
	if (lb_addr_is_zero(&source))
		return LB_DROP_NO_SOURCE;
	hash = snat_hash(s);
	step = snat_step(hash);
	first = bpf_ntohs(s->client_port);
	/* Keep the client's own port where it is ours to give; people read captures. What needs a guard is looked for another. */
	start = first >= cfg_snat_port_min && first <= cfg_snat_port_max && !(s->flags & LB_FLOW_GUARD) ?
			first - cfg_snat_port_min :
			hash % 65536;
	for (__u32 i = 0; i < SNAT_PROBES && error == -EEXIST; i++) {
		port = snat_range_port(start + i * step);
		error = snat_take(skb, s, &flow->rewrite, &source, port);
	}
	if (error)
		return error == -EEXIST ? LB_DROP_SNAT_EXHAUSTED : LB_DROP_FLOWS_FULL;

	if (__sync_fetch_and_or(&s->flags, LB_FLOW_SNAT) & LB_FLOW_SNAT) {
		/* Another CPU resolved this flow meanwhile; its choice stands, the client will send again. */
		flow_key(&key, LB_IN, s->protocol, &s->backend, s->backend_port, &source, port);
		bpf_map_delete_elem(&flows, &key);
		return LB_DROP_SNAT_RACED;
	}
	s->source = source;
	s->source_port = port;
	flow->rewrite.address = source;
	flow->rewrite.source_port = port;
	flow->rewrite.destination_port = s->backend_port;
	flow->rewrite.flags &= ~LB_REWRITE_PENDING;
	key = p->key;
	if (bpf_map_update_elem(&flows, &key, &flow->rewrite, BPF_EXIST))
		return LB_DROP_FLOWS_FULL;
	if (s->flags & LB_FLOW_GUARD)
		count(LB_FLOW_GUARDED);
	count(LB_SNAT_ALLOCATED);
	return 0;
}
