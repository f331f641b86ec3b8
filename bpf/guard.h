/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The egress guard (rule 6). A connection of the node, or one that netfilter masquerades, may leave with the very address and port that a
 * flow of ours has taken at the same remote end; its replies would go to our client. Such a connection is given another port here, by a
 * flow of its own that has no Service: two entries, out and back. (The other order is snat.h's: it does not take what conntrack or a
 * socket has.)
 */
#pragma once

#include "event.h"
#include "flow_claim.h"
#include "snat.h"

/* kube-apiserver's default --service-node-port-range; it is told to nobody. */
#define GUARD_NODE_PORT_MIN 30000
#define GUARD_NODE_PORT_MAX 32767

/* Ports that we give out, and node ports: a client's flow may be left at one that serves there now, or asks from everywhere (UDP). */
static __always_inline bool guard_has_port(__u16 port)
{
	return (port >= cfg_snat_port_min && port <= cfg_snat_port_max) ||
	       (port >= GUARD_NODE_PORT_MIN && port <= GUARD_NODE_PORT_MAX);
}

/* Would the reply to this packet be taken for one of ours? Other ports than those cost a few comparisons. */
static __always_inline bool guard_is_needed(const struct packet *p)
{
	struct lb_flow_key reply;
	struct flow flow = {};

	if (!guard_has_port(bpf_ntohs(p->key.source_port)) || !packet_opens(p))
		return false;
	flow_key(&reply, LB_IN, p->key.protocol, &p->key.destination, p->key.destination_port, &p->key.source,
		 p->key.source_port);
	return flow_find(&reply, &flow) && !(flow.rewrite.flags & LB_REWRITE_STEER) && !flow_is_closed(flow.state->flags) &&
	       !flow_is_expired(flow.state, bpf_ktime_get_coarse_ns());
}

/*
 * Gives the packet's connection a flow whose port is still to be found: the caller does it, as for any masqueraded flow, since the two calls
 * one below the other would need too much stack. 0, or the counter that names why not.
 */
static __noinline int guard(const struct packet *p, struct flow *flow)
{
	struct lb_flow_state *s;
	__u32 claim;
	int flow_id;

	if (!p || !flow)
		return LB_DROP_FLOWS_FULL;
	flow_id = flow_claim();
	s = flow_row(flow_id);
	if (flow_id < 0 || !s)
		return LB_DROP_FLOWS_FULL;
	__builtin_memset(&s->frontend, 0, sizeof(s->frontend));
	s->frontend_port = 0;
	s->backend = p->key.destination;
	s->backend_port = p->key.destination_port;
	s->service_id = 0;
	s->backend_id = 0;
	s->backend_generation = 0;
	claim = flow_begin(s, p, LB_FLOW_GUARD | LB_FLOW_MASQUERADE);
	flow->state = s;
	flow_entry_rewrite(s, flow_id, FLOW_FORWARD_OUT, &flow->rewrite);
	if (flow_put(s, flow_id, FLOW_FORWARD_OUT, claim)) {
		flow_release(s, claim);
		return LB_DROP_FLOWS_FULL;
	}
	return 0;
}
