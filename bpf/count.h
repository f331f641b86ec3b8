/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Everything that happens has a name: counters, the rate limits, and events for people. */
#pragma once

#include "config.h"
#include "maps.h"
#include "packet.h"

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

/* A packet is refused: counted always, reported now and then. */
static __noinline int refuse(const struct packet *p, __u32 ifindex, __u32 reason)
{
	struct lb_event *event;

	count(reason);
	if (!rate_allows(reason, 10000000ULL, 1))
		return 0;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return 0;
	event->time_ns = bpf_ktime_get_coarse_ns();
	event->source = p->key.source;
	event->destination = p->key.destination;
	event->source_port = p->key.source_port;
	event->destination_port = p->key.destination_port;
	event->ifindex = ifindex;
	event->reason = reason;
	event->protocol = p->key.protocol;
	event->direction = p->key.direction;
	event->pad = 0;
	bpf_ringbuf_submit(event, 0);
	return 0;
}
