/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Sockets of this node, at the root of cgroup v2: translated once at connect() or sendmsg(), so their packets cost nothing.
 * Only the plain case; whatever needs the packet for kube-proxy's exact semantics is declined and left to the packet path.
 */
#pragma once

#include "socket_decide.h"
#include "socket_peers.h"

#define SOCKET_PROCEED 1
#define SOCKET_REFUSE 0

/* ECONNREFUSED, never EPERM: in-kernel clients retry EPERM in a busy loop. */
static __always_inline int socket_refuse(void)
{
	bpf_set_retval(-ECONNREFUSED);
	return SOCKET_REFUSE;
}

static __always_inline void socket_given(const struct socket_call *call, const struct lb_choice *choice)
{
	stats_connection(choice->service_id, choice->backend.backend_id);
	socket_event(call, LB_SOCKET_TRANSLATED, &choice->backend, choice->service_id);
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
	socket_given(&call, &choice);
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
	if (socket_remember_peers(ctx, &call, &choice))
		socket_given(&call, &choice);
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
	struct lb_sock_pair *pair = bpf_sk_storage_get(&sock_peer, sk, NULL, 0);
	__u64 cookie;

	if (pair)
		stats_socket(pair->backend_id, pair->backend_generation, -1);
	if (sk->protocol != IPPROTO_UDP)
		return SOCKET_PROCEED;
	cookie = bpf_get_socket_cookie(sk);
	bpf_map_delete_elem(&udp_sockets, &cookie);
	return SOCKET_PROCEED;
}
