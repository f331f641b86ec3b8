/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Sockets of this node, at the root of cgroup v2: translated once at connect() or sendmsg(), so their packets cost nothing.
 * Only the plain case; whatever needs the packet for kube-proxy's exact semantics is declined and left to the packet path.
 */
#pragma once

#include "count.h"
#include "lookup.h"
#include "prefix.h"

#define SOCKET_PROCEED 1
#define SOCKET_REFUSE 0

struct socket_call {
	union lb_addr destination;
	union lb_addr bound; /* zero: not bound to an address */
	__be16 port;
	__u8 protocol;
	bool is_host;
};

static __always_inline void socket_call_v4(struct bpf_sock_addr *ctx, struct socket_call *call)
{
	struct bpf_sock *sk = ctx->sk;

	lb_addr_set_v4(&call->destination, ctx->user_ip4);
	__builtin_memset(&call->bound, 0, sizeof(call->bound));
	if (sk && sk->src_ip4)
		lb_addr_set_v4(&call->bound, sk->src_ip4);
}

/* An AF_INET6 socket; an IPv4-mapped destination is IPv4 in every table already. */
static __always_inline void socket_call_v6(struct bpf_sock_addr *ctx, struct socket_call *call)
{
	struct bpf_sock *sk = ctx->sk;

	call->destination.word[0] = ctx->user_ip6[0];
	call->destination.word[1] = ctx->user_ip6[1];
	call->destination.word[2] = ctx->user_ip6[2];
	call->destination.word[3] = ctx->user_ip6[3];
	__builtin_memset(&call->bound, 0, sizeof(call->bound));
	if (sk) {
		call->bound.word[0] = sk->src_ip6[0];
		call->bound.word[1] = sk->src_ip6[1];
		call->bound.word[2] = sk->src_ip6[2];
		call->bound.word[3] = sk->src_ip6[3];
	}
}

static __always_inline void socket_write_v4(struct bpf_sock_addr *ctx, const union lb_addr *address, __be16 port)
{
	ctx->user_ip4 = address->word[3];
	ctx->user_port = port;
}

static __always_inline void socket_write_v6(struct bpf_sock_addr *ctx, const union lb_addr *address, __be16 port)
{
	ctx->user_ip6[0] = address->word[0];
	ctx->user_ip6[1] = address->word[1];
	ctx->user_ip6[2] = address->word[2];
	ctx->user_ip6[3] = address->word[3];
	ctx->user_port = port;
}

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

/*
 * What becomes of a call. LB_TRANSLATE and LB_REJECT are acted upon here; everything else goes to the packet path as it is:
 * what is no Service, what is declined, and what kube-proxy drops (a silent drop is not an answer connect() can give).
 */
static __noinline int socket_decide(struct bpf_sock_addr *ctx, const struct socket_call *call, __u32 pick,
				    struct lb_choice *choice)
{
	struct lb_frontend *frontend;
	enum lb_verdict verdict = LB_TRANSLATE;
	__u32 address_flags;

	if (!call->is_host && call->protocol == IPPROTO_UDP && cfg_socket_path != LB_SOCKET_PATH_ALL)
		return LB_PASS;
	frontend = frontend_find(&call->destination, call->port, call->protocol, call->is_host, &address_flags);
	if (!frontend)
		return LB_PASS;
	if (socket_is_excluded()) {
		count(LB_SOCKET_EXCLUDED);
		return LB_PASS;
	}
	if (call->is_host ? lb_addr_is_loopback(&call->bound) : !socket_pod_is_plain(call, frontend)) {
		count(LB_SOCKET_DECLINED);
		return LB_PASS;
	}
	if (frontend->flags & LB_FRONTEND_SOURCE_RANGES)
		verdict = socket_source_range(call, frontend);
	if (verdict == LB_TRANSLATE)
		verdict = frontend_choose(frontend, call->is_host ? LB_ORIGIN_NODE : LB_ORIGIN_POD, LB_DETECTOR_NONE,
					  &call->bound, pick, choice);
	if (verdict == LB_REJECT) {
		count(LB_SOCKET_REFUSED);
		service_count(frontend->service_id, true);
		return verdict;
	}
	if (verdict != LB_TRANSLATE)
		return LB_PASS;
	if (!call->is_host && socket_may_be_hairpin(ctx, call, choice)) {
		count(LB_SOCKET_DECLINED);
		return LB_PASS;
	}
	count(LB_SOCKET_TRANSLATED);
	service_count(choice->service_id, false);
	return verdict;
}

static __always_inline void socket_pair(struct lb_sock_pair *pair, const struct socket_call *call, const struct lb_choice *choice)
{
	pair->frontend = call->destination;
	pair->frontend_port = call->port;
	pair->backend = choice->backend.address;
	pair->backend_port = choice->backend.port;
	pair->service_id = choice->service_id;
}

static __always_inline void socket_remember_peer(struct bpf_sock_addr *ctx, const struct socket_call *call,
						 const struct lb_choice *choice)
{
	struct lb_sock_pair *pair;

	if (!ctx->sk)
		return;
	pair = bpf_sk_storage_get(&sock_peer, ctx->sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (pair)
		socket_pair(pair, call, choice);
}

/* So that the controller finds the socket once its backend has left. It sees the host's sockets only. */
static __always_inline void socket_remember_udp(struct bpf_sock_addr *ctx, const struct socket_call *call,
						const struct lb_choice *choice)
{
	struct lb_udp_socket row = {
		.backend = choice->backend.address,
		.backend_port = choice->backend.port,
		.backend_id = choice->backend.backend_id,
		.backend_generation = choice->backend.generation,
	};
	__u64 cookie = bpf_get_socket_cookie(ctx);

	if (call->protocol == IPPROTO_UDP && call->is_host)
		bpf_map_update_elem(&udp_sockets, &cookie, &row, BPF_ANY);
}

/*
 * A UDP socket may connect again, past every Service: what it was given before is no longer its peer, not even when it asks for that very
 * address itself. (After a refused connect() it stays with what it had.)
 */
static __always_inline void socket_forget_peer(struct bpf_sock_addr *ctx, const struct socket_call *call)
{
	__u64 cookie;

	if (!ctx->sk || call->protocol != IPPROTO_UDP)
		return;
	bpf_sk_storage_delete(&sock_peer, ctx->sk);
	cookie = bpf_get_socket_cookie(ctx);
	if (call->is_host)
		bpf_map_delete_elem(&udp_sockets, &cookie);
}

static __always_inline void socket_remember_peers(struct bpf_sock_addr *ctx, const struct socket_call *call,
						  const struct lb_choice *choice)
{
	struct lb_sock_pairs *pairs;
	__u32 next;

	if (!ctx->sk)
		return;
	pairs = bpf_sk_storage_get(&sock_peers, ctx->sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!pairs)
		return;
	for (int i = 0; i < LB_SOCK_PAIRS; i++) {
		if (!lb_addr_equal(&pairs->pair[i].backend, &choice->backend.address) ||
		    pairs->pair[i].backend_port != choice->backend.port)
			continue;
		socket_pair(&pairs->pair[i], call, choice);
		return;
	}
	next = pairs->next & (LB_SOCK_PAIRS - 1);
	socket_pair(&pairs->pair[next], call, choice);
	pairs->next = next + 1;
}

/* ECONNREFUSED, never EPERM: in-kernel clients retry EPERM in a busy loop. */
static __always_inline int socket_refuse(void)
{
	bpf_set_retval(-ECONNREFUSED);
	return SOCKET_REFUSE;
}

static __always_inline int socket_connect(struct bpf_sock_addr *ctx, bool is_v6)
{
	struct lb_choice choice = {};
	struct socket_call call;
	int verdict;

	if (ctx->protocol != IPPROTO_TCP && ctx->protocol != IPPROTO_UDP)
		return SOCKET_PROCEED;
	if (is_v6)
		socket_call_v6(ctx, &call);
	else
		socket_call_v4(ctx, &call);
	call.port = ctx->user_port;
	call.protocol = ctx->protocol;
	call.is_host = bpf_get_netns_cookie(ctx) == cfg_host_netns_cookie;
	verdict = socket_decide(ctx, &call, bpf_get_prandom_u32(), &choice);
	if (verdict == LB_REJECT)
		return socket_refuse();
	if (verdict != LB_TRANSLATE) {
		socket_forget_peer(ctx, &call);
		return SOCKET_PROCEED;
	}
	socket_remember_peer(ctx, &call, &choice);
	socket_remember_udp(ctx, &call, &choice);
	if (is_v6)
		socket_write_v6(ctx, &choice.backend.address, choice.backend.port);
	else
		socket_write_v4(ctx, &choice.backend.address, choice.backend.port);
	return SOCKET_PROCEED;
}

/* Unconnected UDP: the choice depends on socket and Service only, so a socket stays with its backend while the list stays. */
static __always_inline int socket_sendmsg(struct bpf_sock_addr *ctx, bool is_v6)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);
	struct lb_choice choice = {};
	struct socket_call call;
	__u32 pick;
	int verdict;

	if (is_v6)
		socket_call_v6(ctx, &call);
	else
		socket_call_v4(ctx, &call);
	call.port = ctx->user_port;
	call.protocol = IPPROTO_UDP;
	call.is_host = bpf_get_netns_cookie(ctx) == cfg_host_netns_cookie;
	pick = ((__u32)cookie * 0x9e3779b1) ^ (call.destination.word[3] * 0x85ebca6b) ^ (call.port * 0xc2b2ae35);
	pick ^= pick >> 15;
	verdict = socket_decide(ctx, &call, pick, &choice);
	if (verdict == LB_REJECT)
		return socket_refuse();
	if (verdict != LB_TRANSLATE)
		return SOCKET_PROCEED;
	socket_remember_peers(ctx, &call, &choice);
	if (is_v6)
		socket_write_v6(ctx, &choice.backend.address, choice.backend.port);
	else
		socket_write_v4(ctx, &choice.backend.address, choice.backend.port);
	return SOCKET_PROCEED;
}

/* The address the socket sees is the one it asked for: recvmsg() and getpeername() say the frontend. */
static __always_inline int socket_restore(struct bpf_sock_addr *ctx, bool is_v6)
{
	struct lb_sock_pairs *pairs;
	struct lb_sock_pair *pair;
	struct socket_call call;
	__be16 port = ctx->user_port;

	if (!ctx->sk)
		return SOCKET_PROCEED;
	if (is_v6)
		socket_call_v6(ctx, &call);
	else
		socket_call_v4(ctx, &call);
	pair = bpf_sk_storage_get(&sock_peer, ctx->sk, NULL, 0);
	if (pair && pair->backend_port == port && lb_addr_equal(&pair->backend, &call.destination))
		goto found;
	pairs = bpf_sk_storage_get(&sock_peers, ctx->sk, NULL, 0);
	if (!pairs)
		return SOCKET_PROCEED;
	for (int i = 0; i < LB_SOCK_PAIRS; i++) {
		pair = &pairs->pair[i];
		if (pair->backend_port == port && lb_addr_equal(&pair->backend, &call.destination))
			goto found;
	}
	return SOCKET_PROCEED;
found:
	if (is_v6)
		socket_write_v6(ctx, &pair->frontend, pair->frontend_port);
	else
		socket_write_v4(ctx, &pair->frontend, pair->frontend_port);
	return SOCKET_PROCEED;
}

SEC("cgroup/connect4") int connect4(struct bpf_sock_addr *ctx)
{
	return socket_connect(ctx, false);
}

SEC("cgroup/connect6") int connect6(struct bpf_sock_addr *ctx)
{
	return socket_connect(ctx, true);
}

SEC("cgroup/sendmsg4") int sendmsg4(struct bpf_sock_addr *ctx)
{
	return socket_sendmsg(ctx, false);
}

SEC("cgroup/sendmsg6") int sendmsg6(struct bpf_sock_addr *ctx)
{
	return socket_sendmsg(ctx, true);
}

SEC("cgroup/recvmsg4") int recvmsg4(struct bpf_sock_addr *ctx)
{
	return socket_restore(ctx, false);
}

SEC("cgroup/recvmsg6") int recvmsg6(struct bpf_sock_addr *ctx)
{
	return socket_restore(ctx, true);
}

SEC("cgroup/getpeername4") int getpeername4(struct bpf_sock_addr *ctx)
{
	return socket_restore(ctx, false);
}

SEC("cgroup/getpeername6") int getpeername6(struct bpf_sock_addr *ctx)
{
	return socket_restore(ctx, true);
}

/* A socket is closed. */
SEC("cgroup/sock_release") int sock_release(struct bpf_sock *sk)
{
	__u64 cookie;

	if (sk->protocol != IPPROTO_UDP)
		return SOCKET_PROCEED;
	cookie = bpf_get_socket_cookie(sk);
	bpf_map_delete_elem(&udp_sockets, &cookie);
	return SOCKET_PROCEED;
}
