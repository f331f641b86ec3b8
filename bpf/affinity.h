/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * sessionAffinity ClientIP. A client stays with the endpoint it was last given for as long as it comes back within the
 * timeout, counted from its last new connection, and the endpoint is one that its packet may go to. (kube-proxy-parity.md 5.5)
 */
#pragma once

#include "maps.h"

#define NS_PER_SECOND 1000000000ULL

/* True while the endpoint this id was given to is still an endpoint of its Service. */
static __always_inline bool backend_is_current(__u32 backend_id, __u32 generation)
{
	struct lb_backend_state *state = bpf_map_lookup_elem(&backend_states, &backend_id);

	return state && state->generation == generation;
}

/* True when the client has an endpoint, and it is on this list still: then `backend` is it, and the timeout starts anew. */
static __noinline int affinity_recall(__u32 service_id, const union lb_addr *client, __u32 seconds, __u32 list,
				      struct lb_backend *backend)
{
	struct lb_affinity_key key = { .service_id = service_id };
	struct lb_backend_state *state;
	struct lb_affinity *row;
	__u64 now_ns;
	__u32 id;

	if (!client || !backend)
		return false;
	key.client = *client;
	row = bpf_map_lookup_elem(&affinity, &key);
	if (!row)
		return false;
	now_ns = bpf_ktime_get_coarse_ns();
	/* Another CPU may have stamped the row after we read the clock. */
	if (now_ns > row->last_used_ns && now_ns - row->last_used_ns >= seconds * NS_PER_SECOND)
		return false;
	id = row->backend.backend_id;
	state = bpf_map_lookup_elem(&backend_states, &id);
	if (!state || state->generation != row->backend.generation || !(state->lists & list))
		return false;
	*backend = row->backend;
	row->last_used_ns = now_ns;
	return backend->service_id == service_id;
}

static __noinline int affinity_note(const union lb_addr *client, const struct lb_backend *backend)
{
	struct lb_affinity row = {};
	struct lb_affinity_key key = {};

	if (!client || !backend)
		return 0;
	key.service_id = backend->service_id;
	key.client = *client;
	row.last_used_ns = bpf_ktime_get_coarse_ns();
	row.backend = *backend;
	bpf_map_update_elem(&affinity, &key, &row, BPF_ANY);
	return 0;
}
