/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Ends flows that were silent for too long, and mends those that lost an entry. Run by the controller, a part of the table at a time; checks and deletes in
 * one place, so a flow that is used meanwhile is not lost between a look and a deletion in user space. */
#pragma once

#include "count.h"
#include "flow.h"

struct expire_pass {
	__u64 now_ns;
	__u32 first;
	__u32 in_use;
	__u32 expired;
};

static long expire_row(__u64 index, struct expire_pass *pass)
{
	__u32 row = pass->first + index;
	struct lb_flow_state *s = bpf_map_lookup_elem(&flow_states, &row);
	__u32 claim;

	if (!s)
		return 1; /* end of the table */
	claim = s->claim;
	if (!flow_is_claim(claim))
		return 0;
	if (flow_is_expired(s, pass->now_ns) && flow_release(s, claim)) {
		pass->expired++;
		count(LB_FLOW_EXPIRED);
		return 0;
	}
	/* A flow that is being made has not lost anything. It may have begun after the pass did. */
	if ((__s64)(pass->now_ns - s->started_ns) > (__s64)FLOW_TOUCH_NS)
		flow_repair(s, row);
	pass->in_use++;
	return 0;
}

SEC("syscall") int flow_expire(struct lb_expire *arguments)
{
	struct expire_pass pass = { .now_ns = bpf_ktime_get_ns(), .first = arguments->first };

	bpf_loop(arguments->count, expire_row, &pass, 0);
	arguments->in_use = pass.in_use;
	arguments->expired = pass.expired;
	return 0;
}
