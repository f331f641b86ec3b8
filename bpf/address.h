/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* union lb_addr: comparing, filling, masks. */
#pragma once

#include <bpf/bpf_endian.h>
#include "lb.h"

static __always_inline bool lb_addr_equal(const union lb_addr *a, const union lb_addr *b)
{
	return a->word[3] == b->word[3] && a->word[2] == b->word[2] && a->word[1] == b->word[1] && a->word[0] == b->word[0];
}

static __always_inline bool lb_addr_is_zero(const union lb_addr *a)
{
	return !(a->word[0] | a->word[1] | a->word[2] | a->word[3]);
}

static __always_inline bool lb_addr_is_v4(const union lb_addr *a)
{
	return !a->word[0] && !a->word[1] && a->word[2] == bpf_htonl(0xffff);
}

static __always_inline void lb_addr_set_v4(union lb_addr *a, __be32 v4)
{
	a->word[0] = 0;
	a->word[1] = 0;
	a->word[2] = bpf_htonl(0xffff);
	a->word[3] = v4;
}

static __always_inline void lb_addr_set_v6(union lb_addr *a, const __be32 *v6)
{
	a->word[0] = v6[0];
	a->word[1] = v6[1];
	a->word[2] = v6[2];
	a->word[3] = v6[3];
}

/* The network argument is a configuration variable, hence volatile. */
static __always_inline bool lb_addr_in_network(const union lb_addr *a, const volatile union lb_addr *network,
					       const volatile union lb_addr *mask)
{
	return !(((a->word[0] & mask->word[0]) ^ network->word[0]) | ((a->word[1] & mask->word[1]) ^ network->word[1]) |
		 ((a->word[2] & mask->word[2]) ^ network->word[2]) | ((a->word[3] & mask->word[3]) ^ network->word[3]));
}

/* 127.0.0.0/8 or ::1. */
static __always_inline bool lb_addr_is_loopback(const union lb_addr *a)
{
	if (lb_addr_is_v4(a))
		return a->octet[12] == 127;
	return !a->word[0] && !a->word[1] && !a->word[2] && a->word[3] == bpf_htonl(1);
}
