/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The first packet of a flow: everything later packets need is written here, once. */
#pragma once

#include "event.h"
#include "flow.h"
#include "lookup.h"

#define STACK_PORT_PROBES 8

enum new_flow_result {
	NEW_FLOW_OK = 0,
	NEW_FLOW_RACED = 1, /* another CPU made the same flow: look it up */
	NEW_FLOW_FULL = 2,
	NEW_FLOW_COLLISION = 3, /* no free client port for a second flow to this backend */
};

static __always_inline __be16 snat_range_port(__u32 number)
{
	__u32 range = (__u32)cfg_snat_port_max - cfg_snat_port_min + 1;

	return bpf_htons(cfg_snat_port_min + number % range);
}

/*
 * The reply's key decides whether the flow can be told from others. When the same client port already reaches this
 * backend through another frontend, the flow gets another client port between ingress and egress (rule 5): the address
 * stays, so the packet is not martian, and the reply's egress restores the port.
 */
static __always_inline int new_flow_reserve_reply(struct lb_flow_state *s, const struct lb_rewrite *rewrite)
{
	struct lb_flow_key key;
	int error = -EEXIST;

	for (int i = 0; i < STACK_PORT_PROBES && error == -EEXIST; i++) {
		if (i)
			s->stack_port = snat_range_port(bpf_get_prandom_u32());
		flow_key_reply_out(s, &key);
		error = flow_insert(&key, rewrite);
	}
	return error;
}

/*
 * p->key is the packet as it came in. `steer`: it came through a bridge port. On NEW_FLOW_OK `flow` is the new one, with the rewrite
 * of this packet. The client's entry is inserted last of the two that matter, so a flow that can be found can be answered.
 */
static __noinline int new_flow(const struct packet *p, const struct lb_choice *choice, bool steer, struct flow *flow)
{
	struct lb_rewrite entry = {}, *first;
	struct lb_flow_state *s;
	struct lb_flow_key key;
	__u32 claim;
	int error;

	if (!p || !choice || !flow)
		return NEW_FLOW_FULL;
	first = &flow->rewrite;
	s = flow_claim(&entry.flow_id);
	if (!s)
		return NEW_FLOW_FULL;
	flow->state = s;
	claim = bpf_get_prandom_u32() | 1;
	if (claim == FLOW_BUSY)
		claim = 1;
	s->client = p->key.source;
	s->frontend = p->key.destination;
	s->backend = choice->backend.address;
	__builtin_memset(&s->source, 0, sizeof(s->source));
	s->client_port = p->key.source_port;
	s->stack_port = p->key.source_port;
	s->frontend_port = p->key.destination_port;
	s->backend_port = choice->backend.port;
	s->source_port = 0;
	s->protocol = p->key.protocol;
	s->service_id = choice->service_id;
	s->backend_id = choice->backend.backend_id;
	s->backend_generation = choice->backend.generation;
	s->flags = (choice->masquerade ? LB_FLOW_MASQUERADE : 0) | (steer ? LB_FLOW_STEERED : 0) |
		   (choice->own_address ? LB_FLOW_OWN_ADDRESS : 0);
	s->last_seen_ns = bpf_ktime_get_coarse_ns();
	s->started_ns = s->last_seen_ns;
	s->request_packets = 0;
	s->request_bytes = 0;
	s->reply_packets = 0;
	s->reply_bytes = 0;
	*(volatile __u32 *)&s->claim = claim;

	entry.claim = claim;
	entry.address = s->frontend;
	entry.source_port = s->frontend_port;
	entry.destination_port = s->client_port;
	entry.flags = LB_REWRITE_REPLY;
	error = new_flow_reserve_reply(s, &entry);
	if (error) {
		flow_release(s);
		return error == -EEXIST ? NEW_FLOW_COLLISION : NEW_FLOW_FULL;
	}

	if (choice->masquerade) {
		/* Address and port are known only at the egress that the route leads to. */
		__builtin_memset(&entry.address, 0, sizeof(entry.address));
		entry.source_port = 0;
		entry.destination_port = s->backend_port;
		entry.flags = LB_REWRITE_PENDING;
		flow_key_forward_out(s, &key);
		error = flow_insert(&key, &entry);
	}
	if (!error && steer) {
		__builtin_memset(&entry.address, 0, sizeof(entry.address));
		entry.flags = LB_REWRITE_STEER | LB_REWRITE_REPLY;
		flow_key_steer_in(s, &key);
		error = flow_insert(&key, &entry);
	}
	if (!error) {
		first->address = s->backend;
		first->source_port = s->stack_port;
		first->destination_port = s->backend_port;
		first->flow_id = entry.flow_id;
		first->claim = claim;
		first->flags = choice->masquerade ? LB_REWRITE_MASQUERADE : 0;
		flow_key_client_in(s, &key);
		error = flow_insert(&key, first);
	}
	if (error) {
		flow_release(s);
		return error == -EEXIST ? NEW_FLOW_RACED : NEW_FLOW_FULL;
	}
	count(LB_FLOW_NEW);
	stats_connection(choice->service_id, choice->backend.backend_id);
	return NEW_FLOW_OK;
}
