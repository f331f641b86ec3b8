/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What becomes of a call: translated, refused, or left to the packet path because the packet is needed for exact semantics. */
#pragma once

#include "count.h"
#include "event.h"
#include "lookup.h"
#include "prefix.h"
#include "socket_call.h"

/*
 * Would a pod's connection to this backend come back to the pod itself? Its address is not known before connect(), but a
 * listener in its own network namespace on the backend's port tells. A wildcard listener matches for every backend of the
 * port, near or far, so the choice among backends is not skewed: such a pod leaves the whole Service to the packet path.
 * (A pod that listens on its one address declines only itself, and then is chosen by the packet path 1/n of the time.)
 */
static __always_inline bool socket_may_be_hairpin(struct bpf_sock_addr *ctx, const struct socket_call *call,
						  const struct lb_choice *choice)
{
	const struct lb_backend *backend = &choice->backend;
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sk;
	__u32 size;

	if (!(choice->flags & LB_FRONTEND_HAS_LOCAL))
		return false;
	if (lb_addr_equal(&backend->address, &call->bound))
		return true;
	if (lb_addr_is_v4(&backend->address)) {
		tuple.ipv4.daddr = backend->address.word[3];
		tuple.ipv4.dport = backend->port;
		size = sizeof(tuple.ipv4);
	} else {
		__builtin_memcpy(tuple.ipv6.daddr, backend->address.word, 16);
		tuple.ipv6.dport = backend->port;
		size = sizeof(tuple.ipv6);
	}
	if (call->protocol == IPPROTO_TCP)
		sk = bpf_sk_lookup_tcp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	else
		sk = bpf_sk_lookup_udp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!sk)
		return false;
	bpf_sk_release(sk);
	return true;
}

/* A pod bound to an address outside the pod range would be masqueraded; so would everything under masqueradeAll. */
static __always_inline bool socket_pod_is_plain(const struct socket_call *call, const struct lb_frontend *frontend)
{
	bool is_v4 = lb_addr_is_v4(&call->destination);

	if (cfg_masquerade_all || frontend->flags & (LB_FRONTEND_EXTERNAL | LB_FRONTEND_AFFINITY))
		return false;
	if (lb_addr_is_zero(&call->bound) || (is_v4 ? cfg_detector_v4 : cfg_detector_v6) != LB_DETECTOR_CIDR)
		return true;
	return is_v4 ? lb_addr_in_network(&call->bound, &cfg_pod_cidr_v4, &cfg_pod_mask_v4) :
		       lb_addr_in_network(&call->bound, &cfg_pod_cidr_v6, &cfg_pod_mask_v6);
}

/*
 * May a process of the node use this frontend? Its source address is known when the socket is bound to one, or when the
 * frontend's address is the node's own: then the kernel takes that. Otherwise the packet tells (LB_PASS), and it is dropped
 * where it may not; but to an address of the node it would reach a listener past us, so that is refused here.
 */
static __always_inline enum lb_verdict socket_source_range(const struct socket_call *call, const struct lb_frontend *frontend)
{
	struct lb_address *row = bpf_map_lookup_elem(&addresses, &call->destination);
	bool to_node = row && row->flags & LB_ADDRESS_NODE;
	const union lb_addr *source = &call->bound;

	if (lb_addr_is_zero(source)) {
		if (!to_node)
			return LB_PASS;
		source = &call->destination;
	}
	if (source_is_allowed(frontend->service_id, source))
		return LB_TRANSLATE;
	return to_node ? LB_REJECT : LB_PASS;
}

/*
 * Does the calling process run in an excluded cgroup, or below one? Ancestors are asked, not only the process's own cgroup: a child made
 * a moment ago is then excluded without anybody having heard of it.
 */
static __always_inline bool socket_is_excluded(void)
{
	if (!cfg_excludes_cgroups)
		return false;
	for (int level = 1; level <= LB_CGROUP_LEVELS; level++) {
		__u64 id = bpf_get_current_ancestor_cgroup_id(level);

		if (!id)
			return false;
		if (bpf_map_lookup_elem(&excluded_cgroups, &id))
			return true;
	}
	return false;
}

static __always_inline void socket_event(const struct socket_call *call, enum lb_counter what, const struct lb_backend *backend,
					 __u32 service_id)
{
	struct lb_flow_key key = {
		.source = call->bound,
		.destination = call->destination,
		.destination_port = call->port,
		.protocol = call->protocol,
	};

	event_socket(&key, what, backend, service_id);
}

/* The frontend that a call is for; NULL when the socket path has nothing to do with it. */
static __always_inline struct lb_frontend *socket_frontend(const struct socket_call *call)
{
	__u32 address_flags;

	if (!call->is_host && call->protocol == IPPROTO_UDP && cfg_socket_path != LB_SOCKET_PATH_ALL)
		return NULL;
	return frontend_find(&call->destination, call->port, call->protocol, call->is_host, &address_flags);
}

/*
 * What becomes of a call as far as the call itself tells: neither its process nor its network namespace is looked at, so that
 * explain_socket can ask the same. enum lb_verdict; LB_PASS leaves it to the packet path.
 */
static __always_inline enum lb_verdict socket_choose(const struct lb_frontend *frontend, const struct socket_call *call,
						     __u32 pick, struct lb_choice *choice)
{
	enum lb_verdict verdict = LB_TRANSLATE;

	if (call->is_host ? lb_addr_is_loopback(&call->bound) : !socket_pod_is_plain(call, frontend)) {
		count(LB_SOCKET_DECLINED);
		return LB_PASS;
	}
	if (frontend->flags & LB_FRONTEND_SOURCE_RANGES)
		verdict = socket_source_range(call, frontend);
	if (verdict == LB_TRANSLATE)
		verdict = frontend_choose(frontend, call->is_host ? LB_ORIGIN_NODE : LB_ORIGIN_POD, LB_DETECTOR_NONE,
					  &call->bound, pick, choice);
	return verdict == LB_TRANSLATE || verdict == LB_REJECT ? verdict : LB_PASS;
}

/*
 * What becomes of a call. LB_TRANSLATE and LB_REJECT are acted upon here; everything else goes to the packet path as it is:
 * what is no Service, what is declined, and what kube-proxy drops (a silent drop is not an answer connect() can give).
 */
static __noinline int socket_decide(struct bpf_sock_addr *ctx, const struct socket_call *call, __u32 pick,
				    struct lb_choice *choice)
{
	struct lb_frontend *frontend = socket_frontend(call);
	enum lb_verdict verdict;

	if (!frontend)
		return LB_PASS;
	if (socket_is_excluded()) {
		count(LB_SOCKET_EXCLUDED);
		return LB_PASS;
	}
	verdict = socket_choose(frontend, call, pick, choice);
	if (verdict == LB_REJECT) {
		count(LB_SOCKET_REFUSED);
		stats_reject(frontend->service_id);
		socket_event(call, LB_SOCKET_REFUSED, &choice->backend, frontend->service_id);
		return verdict;
	}
	if (verdict != LB_TRANSLATE)
		return LB_PASS;
	if (!call->is_host && socket_may_be_hairpin(ctx, call, choice)) {
		count(LB_SOCKET_DECLINED);
		return LB_PASS;
	}
	count(LB_SOCKET_TRANSLATED);
	return verdict;
}
