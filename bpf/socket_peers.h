/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What sockets were given instead of what they asked for: kept with the socket, and for the controller where it must find it. */
#pragma once

#include "lookup.h"
#include "socket_call.h"
#include "stats.h"

static __always_inline void socket_pair(struct lb_sock_pair *pair, const struct socket_call *call, const struct lb_choice *choice)
{
	pair->frontend = call->destination;
	pair->frontend_port = call->port;
	pair->backend = choice->backend.address;
	pair->backend_port = choice->backend.port;
	pair->backend_id = choice->backend.backend_id;
	pair->backend_generation = choice->backend.generation;
}

static __always_inline void socket_remember_peer(struct bpf_sock_addr *ctx, const struct socket_call *call,
						 const struct lb_choice *choice)
{
	struct lb_sock_pair *pair;

	if (!ctx->sk)
		return;
	pair = bpf_sk_storage_get(&sock_peer, ctx->sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!pair)
		return;
	if (pair->backend_port)
		stats_socket(pair->backend_id, pair->backend_generation, -1); /* connect() once more */
	socket_pair(pair, call, choice);
	stats_socket(pair->backend_id, pair->backend_generation, 1);
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
	struct lb_sock_pair *pair;
	__u64 cookie;

	if (!ctx->sk || call->protocol != IPPROTO_UDP)
		return;
	pair = bpf_sk_storage_get(&sock_peer, ctx->sk, NULL, 0);
	if (pair) {
		stats_socket(pair->backend_id, pair->backend_generation, -1);
		bpf_sk_storage_delete(&sock_peer, ctx->sk);
	}
	cookie = bpf_get_socket_cookie(ctx);
	if (call->is_host)
		bpf_map_delete_elem(&udp_sockets, &cookie);
}

/* False when the socket sent to this backend before: a connection is counted for the first datagram only. */
static __always_inline bool socket_remember_peers(struct bpf_sock_addr *ctx, const struct socket_call *call,
						  const struct lb_choice *choice)
{
	struct lb_sock_pairs *pairs;
	__u32 next;

	if (!ctx->sk)
		return false;
	pairs = bpf_sk_storage_get(&sock_peers, ctx->sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!pairs)
		return false;
	for (int i = 0; i < LB_SOCK_PAIRS; i++) {
		if (!lb_addr_equal(&pairs->pair[i].backend, &choice->backend.address) ||
		    pairs->pair[i].backend_port != choice->backend.port)
			continue;
		socket_pair(&pairs->pair[i], call, choice);
		return false;
	}
	next = pairs->next & (LB_SOCK_PAIRS - 1);
	socket_pair(&pairs->pair[next], call, choice);
	pairs->next = next + 1;
	return true;
}
