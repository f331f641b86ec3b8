/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What each Service and endpoint does, for people. Per packet only the flow's own row is written; the rest once or twice a flow. */
#pragma once

#include "config.h"
#include "lookup.h"
#include "maps.h"

static __always_inline void stats_reject(__u32 service_id)
{
	struct lb_stats *stats = bpf_map_lookup_elem(&service_stats, &service_id);

	if (stats)
		__sync_fetch_and_add(&stats->rejects, 1);
}

static __always_inline void stats_drop(__u32 service_id)
{
	struct lb_stats *stats = bpf_map_lookup_elem(&service_stats, &service_id);

	if (stats)
		__sync_fetch_and_add(&stats->drops, 1);
}

/* A flow or a connect() was given this endpoint. */
static __always_inline void stats_connection(__u32 service_id, __u32 backend_id)
{
	struct lb_stats *stats = bpf_map_lookup_elem(&service_stats, &service_id);

	if (stats)
		__sync_fetch_and_add(&stats->connections, 1);
	stats = bpf_map_lookup_elem(&backend_stats, &backend_id);
	if (stats)
		__sync_fetch_and_add(&stats->connections, 1);
}

/* A translated socket is there (1), or no longer (-1). One whose endpoint has left is nobody's: the row may be another's by now. */
static __always_inline void stats_socket(__u32 backend_id, __u32 backend_generation, __s64 change)
{
	struct lb_stats *stats;

	if (!backend_is_current(backend_id, backend_generation))
		return;
	stats = bpf_map_lookup_elem(&backend_stats, &backend_id);
	if (stats)
		__sync_fetch_and_add(&stats->sockets_open, change);
}

static __always_inline void stats_add_flow(struct lb_stats *stats, const struct lb_flow_state *s)
{
	__sync_fetch_and_add(&stats->request_packets, s->request_packets);
	__sync_fetch_and_add(&stats->request_bytes, s->request_bytes);
	__sync_fetch_and_add(&stats->reply_packets, s->reply_packets);
	__sync_fetch_and_add(&stats->reply_bytes, s->reply_bytes);
}

/* A flow ends: what it counted becomes its Service's and, while that is still the same, its endpoint's. */
static __always_inline void stats_flow_ended(const struct lb_flow_state *s)
{
	__u32 service_id = s->service_id, backend_id = s->backend_id;
	struct lb_stats *stats;

	if (!cfg_flow_counters)
		return;
	stats = bpf_map_lookup_elem(&service_stats, &service_id);
	if (stats)
		stats_add_flow(stats, s);
	if (!backend_is_current(backend_id, s->backend_generation))
		return;
	stats = bpf_map_lookup_elem(&backend_stats, &backend_id);
	if (stats)
		stats_add_flow(stats, s);
}

/*
 * One packet of a flow. Plain additions: packets of one direction come by one CPU as a rule, and where they do not, a count in a thousand
 * lost is cheaper than a locked instruction for every packet.
 */
static __always_inline void stats_packet(struct lb_flow_state *s, struct __sk_buff *skb, __u32 l3_offset, bool reply)
{
	__u32 bytes = skb->len - l3_offset, packets = skb->gso_segs;

	if (!cfg_flow_counters)
		return;
	if (!packets)
		packets = 1;
	if (reply) {
		s->reply_packets += packets;
		s->reply_bytes += bytes;
	} else {
		s->request_packets += packets;
		s->request_bytes += bytes;
	}
}
