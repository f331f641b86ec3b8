/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The rewrite entries of a flow, each made of nothing but the flow's row: so whoever makes, mends or removes one agrees on what it is.
 *   in  client:client_port -> frontend          => backend, ports stack_port:backend_port
 *   out backend -> client:stack_port            => frontend, ports frontend_port:client_port
 *   out client:stack_port -> backend            => source (masqueraded flows)
 *   in  backend -> source:source_port           => client, ports backend_port:stack_port (masqueraded flows)
 *   in  backend -> client:stack_port            => steered to the bridge (same-bridge flows)
 */
#pragma once

#include "lb.h"

enum flow_entry {
	FLOW_CLIENT_IN = 0,
	FLOW_REPLY_OUT = 1,
	FLOW_FORWARD_OUT = 2,
	FLOW_REPLY_IN = 3,
	FLOW_STEER_IN = 4,
	FLOW_ENTRIES,
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

/* Does a flow with these flags (enum lb_flow_flag) have this entry? */
static __always_inline bool flow_has(__u32 flags, enum flow_entry entry)
{
	switch (entry) {
	case FLOW_CLIENT_IN:
	case FLOW_REPLY_OUT:
		return !(flags & LB_FLOW_GUARD);
	case FLOW_FORWARD_OUT:
		return flags & LB_FLOW_MASQUERADE;
	case FLOW_REPLY_IN:
		return flags & LB_FLOW_SNAT;
	default:
		return flags & LB_FLOW_STEERED;
	}
}

static __noinline int flow_entry_key(const struct lb_flow_state *s, __u32 entry, struct lb_flow_key *key)
{
	if (!s || !key)
		return -1;
	switch (entry) {
	case FLOW_CLIENT_IN:
		flow_key(key, LB_IN, s->protocol, &s->client, s->client_port, &s->frontend, s->frontend_port);
		return 0;
	case FLOW_REPLY_OUT:
		flow_key(key, LB_OUT, s->protocol, &s->backend, s->backend_port, &s->client, s->stack_port);
		return 0;
	case FLOW_FORWARD_OUT:
		flow_key(key, LB_OUT, s->protocol, &s->client, s->stack_port, &s->backend, s->backend_port);
		return 0;
	case FLOW_REPLY_IN:
		flow_key(key, LB_IN, s->protocol, &s->backend, s->backend_port, &s->source, s->source_port);
		return 0;
	default:
		flow_key(key, LB_IN, s->protocol, &s->backend, s->backend_port, &s->client, s->stack_port);
		return 0;
	}
}

static __noinline int flow_entry_rewrite(const struct lb_flow_state *s, __u32 flow_id, __u32 entry, struct lb_rewrite *rewrite)
{
	if (!s || !rewrite)
		return -1;
	__builtin_memset(rewrite, 0, sizeof(*rewrite));
	rewrite->flow_id = flow_id;
	rewrite->claim = s->claim;
	switch (entry) {
	case FLOW_CLIENT_IN:
		rewrite->address = s->backend;
		rewrite->source_port = s->stack_port;
		rewrite->destination_port = s->backend_port;
		rewrite->flags = s->flags & LB_FLOW_MASQUERADE ? LB_REWRITE_MASQUERADE : 0;
		return 0;
	case FLOW_REPLY_OUT:
		rewrite->address = s->frontend;
		rewrite->source_port = s->frontend_port;
		rewrite->destination_port = s->client_port;
		rewrite->flags = LB_REWRITE_REPLY;
		return 0;
	case FLOW_FORWARD_OUT:
		/* Address and port are known only at the egress that the route leads to (rule 3). */
		rewrite->address = s->source;
		rewrite->source_port = s->source_port;
		rewrite->destination_port = s->backend_port;
		rewrite->flags = s->flags & LB_FLOW_SNAT ? 0 : LB_REWRITE_PENDING;
		return 0;
	case FLOW_REPLY_IN:
		rewrite->address = s->client;
		rewrite->source_port = s->backend_port;
		rewrite->destination_port = s->stack_port;
		rewrite->flags = LB_REWRITE_REPLY;
		return 0;
	default:
		rewrite->flags = LB_REWRITE_STEER | LB_REWRITE_REPLY;
		return 0;
	}
}
