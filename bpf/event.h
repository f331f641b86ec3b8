/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Events for people: refusals for the controller's log, a few of each kind; everything for `turnout monitor`, while it looks. */
#pragma once

#include "count.h"
#include "packet.h"
#include "stats.h"

#define EVENT_WINDOW_NS 10000000ULL
#define MONITORED_PER_WINDOW 100

/* Room for an event that the monitor wants; NULL where nobody looks. */
static __always_inline struct lb_event *event_monitored(enum lb_event_kind kind)
{
	struct lb_event *event = NULL;
	struct lb_monitor *wanted;
	__u32 row = 0;

	wanted = bpf_map_lookup_elem(&monitor, &row);
	if (!wanted || !(wanted->kinds & 1 << kind) || bpf_ktime_get_coarse_ns() > wanted->until_ns)
		return NULL;
	if (rate_allows(LB_COUNTER_MAX, EVENT_WINDOW_NS, MONITORED_PER_WINDOW))
		event = bpf_ringbuf_reserve(&monitored, sizeof(*event), 0);
	if (!event)
		__sync_fetch_and_add(&wanted->missed, 1);
	return event;
}

static __always_inline void event_fill(struct lb_event *event, enum lb_event_kind kind, enum lb_counter reason,
				       const struct lb_flow_key *key, __u32 ifindex, __u32 service_id)
{
	event->time_ns = bpf_ktime_get_coarse_ns();
	event->source = key->source;
	event->destination = key->destination;
	__builtin_memset(&event->backend, 0, sizeof(event->backend));
	event->source_port = key->source_port;
	event->destination_port = key->destination_port;
	event->backend_port = 0;
	event->protocol = key->protocol;
	event->direction = key->direction;
	event->ifindex = ifindex;
	event->reason = reason;
	event->kind = kind;
	event->service_id = service_id;
}

/* A packet is refused: counted always, for its Service too (zero: none is known), reported now and then. */
static __noinline int refuse(const struct packet *p, __u32 ifindex, __u32 reason, __u32 service_id)
{
	struct lb_event *event;

	count(reason);
	if (service_id)
		stats_drop(service_id);
	event = event_monitored(LB_EVENT_REFUSED);
	if (event) {
		event_fill(event, LB_EVENT_REFUSED, reason, &p->key, ifindex, service_id);
		bpf_ringbuf_submit(event, 0);
	}
	if (!rate_allows(reason, EVENT_WINDOW_NS, 1))
		return 0;
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return 0;
	event_fill(event, LB_EVENT_REFUSED, reason, &p->key, ifindex, service_id);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

/* Port unreachable was sent. */
static __noinline int event_rejected(const struct packet *p, __u32 ifindex, __u32 service_id)
{
	struct lb_event *event = event_monitored(LB_EVENT_REJECTED);

	if (!event)
		return 0;
	event_fill(event, LB_EVENT_REJECTED, LB_REJECT_SENT, &p->key, ifindex, service_id);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

/* A first packet was given a backend. */
static __noinline int event_flow_new(const struct packet *p, __u32 ifindex, const struct lb_backend *backend)
{
	struct lb_event *event = event_monitored(LB_EVENT_FLOW_NEW);

	if (!event)
		return 0;
	event_fill(event, LB_EVENT_FLOW_NEW, LB_FLOW_NEW, &p->key, ifindex, backend->service_id);
	event->backend = backend->address;
	event->backend_port = backend->port;
	bpf_ringbuf_submit(event, 0);
	return 0;
}

/* A call of a socket was given a backend (LB_SOCKET_TRANSLATED), or refused (LB_SOCKET_REFUSED). `backend` may be all zero. */
static __noinline int event_socket(const struct lb_flow_key *key, enum lb_counter what, const struct lb_backend *backend,
				   __u32 service_id)
{
	enum lb_event_kind kind = what == LB_SOCKET_REFUSED ? LB_EVENT_REJECTED : LB_EVENT_SOCKET;
	struct lb_event *event = event_monitored(kind);

	if (!event)
		return 0;
	event_fill(event, kind, what, key, 0, service_id);
	event->backend = backend->address;
	event->backend_port = backend->port;
	bpf_ringbuf_submit(event, 0);
	return 0;
}
