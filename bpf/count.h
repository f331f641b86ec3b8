/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Everything that happens has a name, and a counter by that name; and the rate limits, which go by the same names. */
#pragma once

#include "config.h"
#include "maps.h"

static __always_inline void count(enum lb_counter what)
{
	__u32 row = what;
	__u64 *value = bpf_map_lookup_elem(&counters, &row);

	if (value)
		*value += 1;
}

/* True while `what` happened less than `limit` times in the current window of this CPU. */
static __always_inline bool rate_allows(enum lb_counter what, __u64 window_ns, __u32 limit)
{
	__u32 row = what;
	struct lb_rate *rate = bpf_map_lookup_elem(&rate_limits, &row);
	__u64 now;

	if (!rate)
		return false;
	now = bpf_ktime_get_coarse_ns();
	if (now - rate->window_ns >= window_ns) {
		rate->window_ns = now;
		rate->used = 0;
	}
	if (rate->used >= limit)
		return false;
	rate->used++;
	return true;
}
