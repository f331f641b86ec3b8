/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Which Service an address and port belong to, and which backend a new flow gets. No packet, no context: every hook shares it. */
#pragma once

#include "affinity.h"
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
	LB_SHUT_OUT = 5,  /* the source is outside of the Service's source ranges */
};

struct lb_choice {
	struct lb_backend backend;
	__u32 service_id;
	__u32 flags; /* enum lb_frontend_flag */
	bool masquerade;
	bool own_address; /* the masqueraded source is the address behind the client's alias (host_port.h) */
};

/* Who may be chosen for this packet, and whose address the backend sees. */
struct lb_candidates {
	struct lb_extent extent;
	enum lb_backend_list list;
	bool masquerade;
};

/* `flags`: enum lb_address_flag of the address, looked up only where no frontend has address and port. */
static __always_inline struct lb_frontend *frontend_find(const union lb_addr *address, __be16 port, __u8 protocol,
							 bool also_loopback, __u32 *flags)
{
	struct lb_frontend_key key = { .address = *address, .port = port, .protocol = protocol };
	struct lb_frontend *frontend = bpf_map_lookup_elem(&frontends, &key);
	struct lb_address *row;
	bool is_v4 = lb_addr_is_v4(address);

	*flags = 0;
	if (frontend)
		return frontend;
	if (also_loopback && lb_addr_is_loopback(address)) {
		if (!(is_v4 ? cfg_localhost_node_ports_v4 : cfg_localhost_node_ports_v6))
			return NULL;
	} else {
		row = bpf_map_lookup_elem(&addresses, address);
		if (!row)
			return NULL;
		*flags = row->flags;
		if (!(*flags & LB_ADDRESS_NODE_PORT))
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
static __always_inline void frontend_candidates(const struct lb_frontend *frontend, __u32 flags, enum lb_origin origin,
						enum lb_detector detector, struct lb_candidates *candidates)
{
	bool local = flags & LB_FRONTEND_LOCAL_ONLY;

	if (!(flags & LB_FRONTEND_EXTERNAL)) {
		candidates->masquerade = cfg_masquerade_all || (detector != LB_DETECTOR_NONE && origin != LB_ORIGIN_POD);
	} else if (!local) {
		candidates->masquerade = true;
	} else {
		candidates->masquerade = origin == LB_ORIGIN_NODE;
		local = origin == LB_ORIGIN_EXTERNAL;
	}
	candidates->list = local ? LB_LIST_LOCAL : LB_LIST_CLUSTER;
	candidates->extent = extent_read(local ? &frontend->local : &frontend->cluster);
}

/*
 * `client`: by whom affinity knows the sender. `pick` is a random number, or a hash where the choice must be stable.
 */
static __always_inline enum lb_verdict frontend_choose(const struct lb_frontend *frontend, enum lb_origin origin,
						       enum lb_detector detector, const union lb_addr *client, __u32 pick,
						       struct lb_choice *choice)
{
	struct lb_candidates candidates;
	struct lb_backend *backend;
	__u32 affinity_seconds;
	__u32 row;

	/* One retry: the list may have been replaced, and its extent reused, between the two reads. */
	for (int i = 0; i < 2; i++) {
		choice->service_id = *(const volatile __u32 *)&frontend->service_id;
		choice->flags = *(const volatile __u32 *)&frontend->flags;
		affinity_seconds = *(const volatile __u32 *)&frontend->affinity_seconds;
		frontend_candidates(frontend, choice->flags, origin, detector, &candidates);
		choice->masquerade = candidates.masquerade;
		if (!candidates.extent.count)
			return choice->flags & LB_FRONTEND_HAS_ENDPOINTS ? LB_NO_LOCAL : LB_REJECT;
		if (affinity_seconds &&
		    affinity_recall(choice->service_id, client, affinity_seconds, candidates.list, &choice->backend))
			return LB_TRANSLATE;
		row = candidates.extent.base + pick % candidates.extent.count;
		backend = bpf_map_lookup_elem(&backends, &row);
		if (!backend)
			continue;
		choice->backend = *backend;
		if (choice->backend.service_id != choice->service_id)
			continue;
		if (affinity_seconds)
			affinity_note(client, &choice->backend);
		return LB_TRANSLATE;
	}
	return LB_STALE;
}
