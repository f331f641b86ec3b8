/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Which Service an address and port belong to, and which backend a new flow gets. No packet, no context: every hook shares it. */
#pragma once

#include "config.h"
#include "address.h"
#include "maps.h"

enum lb_origin {
	LB_ORIGIN_EXTERNAL = 0, /* another host */
	LB_ORIGIN_POD = 1,      /* a pod of this node, by the local detector */
	LB_ORIGIN_NODE = 2,     /* a process in the node's network namespace */
};

enum lb_verdict {
	LB_PASS = 0,      /* not a Service */
	LB_TRANSLATE = 1, /* backend is set */
	LB_REJECT = 2,    /* no endpoint anywhere */
	LB_NO_LOCAL = 3,  /* endpoints exist, but the policy asks for local ones: dropped in silence, as kube-proxy does */
	LB_STALE = 4,     /* the list was replaced twice under the reader */
};

struct lb_choice {
	struct lb_backend backend;
	__u32 service_id;
	__u32 flags; /* enum lb_frontend_flag */
	bool masquerade;
};

static __always_inline struct lb_frontend *frontend_find(const union lb_addr *address, __be16 port, __u8 protocol,
							 bool also_loopback)
{
	struct lb_frontend_key key = { .address = *address, .port = port, .protocol = protocol };
	struct lb_frontend *frontend = bpf_map_lookup_elem(&frontends, &key);
	struct lb_node_addr *node_addr;
	bool is_v4 = lb_addr_is_v4(address);

	if (frontend)
		return frontend;
	if (also_loopback && lb_addr_is_loopback(address)) {
		if (!(is_v4 ? cfg_localhost_node_ports_v4 : cfg_localhost_node_ports_v6))
			return NULL;
	} else {
		node_addr = bpf_map_lookup_elem(&node_addrs, address);
		if (!node_addr || !(node_addr->flags & LB_NODE_ADDR_NODE_PORT))
			return NULL;
	}
	key.address.word[0] = 0;
	key.address.word[1] = 0;
	key.address.word[2] = is_v4 ? bpf_htonl(0xffff) : 0;
	key.address.word[3] = 0;
	return bpf_map_lookup_elem(&frontends, &key);
}

/* Base and count in one load: the controller publishes both in one update. */
static __always_inline struct lb_extent extent_read(const struct lb_extent *extent)
{
	union {
		__u64 both;
		struct lb_extent extent;
	} u = { .both = *(const volatile __u64 *)extent };

	return u.extent;
}

/*
 * Policy: which list, and does the backend see the client's address or ours? (kube-proxy-parity.md 5.5)
 * A ClusterIP is masqueraded when asked for everything, or when a detector exists and did not recognise a local pod.
 * An external frontend under Local policy is short-circuited to all endpoints for pods (as they are) and for the node (masqueraded).
 */
static __always_inline struct lb_extent frontend_list(const struct lb_frontend *frontend, enum lb_origin origin,
						      enum lb_detector detector, bool *masquerade)
{
	bool local_only = frontend->flags & LB_FRONTEND_LOCAL_ONLY;

	if (!(frontend->flags & LB_FRONTEND_EXTERNAL)) {
		*masquerade = cfg_masquerade_all || (detector != LB_DETECTOR_NONE && origin != LB_ORIGIN_POD);
		return extent_read(local_only ? &frontend->local : &frontend->cluster);
	}
	if (!local_only) {
		*masquerade = true;
		return extent_read(&frontend->cluster);
	}
	if (origin == LB_ORIGIN_EXTERNAL) {
		*masquerade = false;
		return extent_read(&frontend->local);
	}
	*masquerade = origin == LB_ORIGIN_NODE;
	return extent_read(&frontend->cluster);
}

/* `pick` is a random number, or a hash where the choice must be stable. */
static __always_inline enum lb_verdict frontend_choose(const struct lb_frontend *frontend, enum lb_origin origin,
						       enum lb_detector detector, __u32 pick, struct lb_choice *choice)
{
	struct lb_backend *backend;
	struct lb_extent list;
	__u32 row;

	/* One retry: the list may have been replaced, and its extent reused, between the two reads. */
	for (int i = 0; i < 2; i++) {
		choice->service_id = *(const volatile __u32 *)&frontend->service_id;
		choice->flags = *(const volatile __u32 *)&frontend->flags;
		list = frontend_list(frontend, origin, detector, &choice->masquerade);
		if (!list.count)
			return choice->flags & LB_FRONTEND_HAS_ENDPOINTS ? LB_NO_LOCAL : LB_REJECT;
		row = list.base + pick % list.count;
		backend = bpf_map_lookup_elem(&backends, &row);
		if (!backend)
			continue;
		choice->backend = *backend;
		if (choice->backend.service_id == choice->service_id)
			return LB_TRANSLATE;
	}
	return LB_STALE;
}

/* True while the endpoint this id was given to is still an endpoint of its Service. */
static __always_inline bool backend_is_current(__u32 backend_id, __u32 generation)
{
	__u32 *current = bpf_map_lookup_elem(&backend_gens, &backend_id);

	return current && *current == generation;
}

static __always_inline void service_count(__u32 service_id, bool rejected)
{
	struct lb_service_stats *stats = bpf_map_lookup_elem(&service_stats, &service_id);

	if (!stats)
		return;
	if (rejected)
		stats->rejects++;
	else
		stats->connections++;
}
