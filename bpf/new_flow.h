/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The first packet of a flow: everything later packets need is written here, once. */
#pragma once

#include "event.h"
#include "flow_claim.h"
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

/* Gives the reply's key back. A function of its own, as its key must not lie below flow_put() on the stack. */
static __noinline int new_flow_unreserve(const struct lb_flow_state *s, __u32 claim)
{
	struct lb_flow_key key;

	if (!s || flow_entry_key(s, FLOW_REPLY_OUT, &key))
		return 0;
	return flow_forget(&key, claim);
}

/*
 * The reply's key decides whether the flow can be told from others. When the same client port already reaches this
 * backend through another frontend, the flow gets another client port between ingress and egress (rule 5): the address
 * stays, so the packet is not martian, and the reply's egress restores the port. Of a masqueraded flow the requests leave by egress too,
 * and must be told from answers: from its own, where a pod asks itself from the port that it serves on.
 */
static __always_inline int new_flow_reserve(struct lb_flow_state *s, __u32 flow_id, __u32 claim)
{
	bool is_hairpin = lb_addr_equal(&s->client, &s->backend), is_masqueraded = s->flags & LB_FLOW_MASQUERADE;
	int error = -EEXIST;

	for (int i = 0; i < STACK_PORT_PROBES && error == -EEXIST; i++) {
		if (i)
			s->stack_port = snat_range_port(bpf_get_prandom_u32());
		if (is_hairpin && s->stack_port == s->backend_port)
			continue;
		error = flow_put(s, flow_id, FLOW_REPLY_OUT, claim);
		if (error || !is_masqueraded)
			continue;
		error = flow_put(s, flow_id, FLOW_FORWARD_OUT, claim);
		if (error)
			new_flow_unreserve(s, claim);
	}
	return error;
}

/*
 * p->key is the packet as it came in. `steer`: it came through a bridge port. On NEW_FLOW_OK `flow` is the new one, with the rewrite
 * of this packet. The client's entry is inserted last of the two that matter, so a flow that can be found can be answered.
 */
static __noinline int new_flow(const struct packet *p, const struct lb_choice *choice, bool steer, struct flow *flow)
{
	struct lb_flow_state *s;
	__u32 claim;
	int flow_id;
	int error;

	if (!p || !choice || !flow)
		return NEW_FLOW_FULL;
	flow_id = flow_claim();
	s = flow_row(flow_id);
	if (flow_id < 0 || !s)
		return NEW_FLOW_FULL;
	flow->state = s;
	s->frontend = p->key.destination;
	s->frontend_port = p->key.destination_port;
	s->backend = choice->backend.address;
	s->backend_port = choice->backend.port;
	s->service_id = choice->service_id;
	s->backend_id = choice->backend.backend_id;
	s->backend_generation = choice->backend.generation;
	claim = flow_begin(s, p,
			   (choice->masquerade ? LB_FLOW_MASQUERADE : 0) | (steer ? LB_FLOW_STEERED : 0) |
				   (choice->own_address ? LB_FLOW_OWN_ADDRESS : 0));
	error = new_flow_reserve(s, flow_id, claim);
	if (error) {
		flow_release(s, claim);
		return error == -EEXIST ? NEW_FLOW_COLLISION : NEW_FLOW_FULL;
	}
	if (steer)
		error = flow_put(s, flow_id, FLOW_STEER_IN, claim);
	if (!error) {
		flow_entry_rewrite(s, flow_id, FLOW_CLIENT_IN, &flow->rewrite);
		error = flow_put(s, flow_id, FLOW_CLIENT_IN, claim);
	}
	if (error) {
		flow_release(s, claim);
		return error == -EEXIST ? NEW_FLOW_RACED : NEW_FLOW_FULL;
	}
	count(LB_FLOW_NEW);
	stats_connection(choice->service_id, choice->backend.backend_id);
	return NEW_FLOW_OK;
}
