/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What a process asked of the kernel, in one form for both families, and how the answer is written back. */
#pragma once

#include "address.h"
#include "lb.h"

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
