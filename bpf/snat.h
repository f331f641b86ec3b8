/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Masquerading: decided at ingress, resolved at egress, where the device and so the source address are known (rule 3). */
#pragma once

#include "flow.h"
#include "host_alias.h"
#include "known.h"
#include "new_flow.h"

#define SNAT_PROBES 16
#define SNAT_STEP 7919 /* a prime larger than any run of busy ports is long, coprime to every range it does not divide */

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

/*
 * Finds a source for the flow whose first packet leaves by `dev`, inserts the reply's entry, completes the request's.
 * 0, or the counter that names why not. The reply's entry is inserted first and only where nothing was: that is the reservation.
 */
static __noinline int snat_resolve(struct __sk_buff *skb, const struct packet *p, const struct lb_device *dev, struct flow *flow)
{
	struct lb_flow_state *s = flow->state;
	struct lb_rewrite reply = {};
	struct lb_flow_key key;
	union lb_addr source;
	__be16 port = 0;
	__u32 start, first;
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
	reply.address = s->client;
	reply.source_port = s->backend_port;
	reply.destination_port = s->stack_port;
	reply.flow_id = flow->rewrite.flow_id;
	reply.claim = flow->rewrite.claim;
	reply.flags = LB_REWRITE_REPLY;

	first = bpf_ntohs(s->client_port);
	/* Keep the client's own port where it is ours to give; people read captures. What needs a guard is looked for another. */
	start = first >= cfg_snat_port_min && first <= cfg_snat_port_max && !(s->flags & LB_FLOW_GUARD) ?
			first - cfg_snat_port_min :
			snat_hash(s);
	for (__u32 i = 0; i < SNAT_PROBES && error == -EEXIST; i++) {
		port = snat_range_port(start % 65536 + i * SNAT_STEP);
		flow_key(&key, LB_IN, s->protocol, &s->backend, s->backend_port, &source, port);
		if (known_to_conntrack(skb, &key, p->is_v4) || known_to_socket(skb, &key, p->is_v4))
			continue;
		error = flow_insert(&key, &reply);
	}
	if (error)
		return error == -EEXIST ? LB_DROP_SNAT_EXHAUSTED : LB_DROP_FLOWS_FULL;

	if (__sync_fetch_and_or(&s->flags, LB_FLOW_SNAT) & LB_FLOW_SNAT) {
		/* Another CPU resolved this flow meanwhile; its choice stands, the client will send again. */
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
	count(LB_SNAT_ALLOCATED);
	return 0;
}
