/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Nanoseconds per packet, in the kernel. BPF_PROG_TEST_RUN repeats a program on one packet without restoring it, so the second
 * run would see what the first has translated. Here the repeated program writes the packet anew each time, for a flow of its
 * choice, and calls the project's own hooks, which bpf/ has as programs and this file as functions.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <linux/errno.h>
#include <linux/if_packet.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "../bpf/lb.h"
#include "../bpf/config.h"
#include "../bpf/maps.h"
#include "../bpf/packet.h"
#include "../bpf/lookup.h"
#include "../bpf/flow.h"
#include "../bpf/fragment.h"
#include "../bpf/icmp.h"
#include "../bpf/known.h"
#include "../bpf/nat.h"
#include "../bpf/new_flow.h"
#include "../bpf/reject.h"
#include "../bpf/snat.h"

/* A function in a section of its own is a program, which cannot be called. */
#pragma push_macro("SEC")
#undef SEC
#define SEC(name)
#include "../bpf/hook_tc.h"
#pragma pop_macro("SEC")

#define FLOWS_MAX 131072
#define BENCH_OCTETS 64 /* of the packet that user space made */

/* What to send next, and what came of it. bench/packet-kernel.ts knows this layout: __u32 each but for the first, host order. */
struct bench_control {
	__u64 timed_ns; /* answer: spent in the hooks, one reading of the clock for each packet included */
	__u32 hooks;    /* 0: a stub instead of each, which is the harness alone; 1: ingress; 2: ingress, then egress */
	__u32 flows;    /* a flow is chosen among so many, from first_flow */
	__u32 first_flow;
	__u32 in_order;     /* one after the other instead of at random */
	__u32 services;     /* flow n belongs to Service n modulo this */
	__u32 client_base;  /* address of client 0 */
	__u32 service_base; /* address of Service 0 */
	__u32 destination;  /* not 0: instead of a Service */
	__u32 from_backend; /* the packet is the answer to what was recorded */
	__u32 tcp_flags;
	__u32 record;   /* remember what the packet became, by flow */
	__u32 state;    /* of the choice; not 0 */
	__u32 frag_off; /* of the IP header, host order */
	__u32 new_ids;  /* a datagram of its own for each packet; else its id is its flow's number */
	__u32 timed;    /* the clock is read before and after the hooks */
	__u32 id;       /* of the last new datagram */
	__u32 sent_source;
	__u32 sent_destination;
	__u32 outcome[16]; /* by enum bench_outcome */
};

/* Bits. A packet that came out otherwise than it must makes the measurement void. */
enum bench_outcome {
	BENCH_NEW_DESTINATION = 1,
	BENCH_NEW_SOURCE = 2,
	BENCH_NOT_PASSED = 4,
	BENCH_REJECTED = 8, /* alone: the packet is on its way back, as the ICMP error that its sender waits for */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bench_control);
} bench_control SEC(".maps");

/* How a flow's packets look to its backend, network order. */
struct bench_flow {
	__u32 source, destination;
	__u16 source_port, destination_port;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FLOWS_MAX);
	__type(key, __u32);
	__type(value, struct bench_flow);
} bench_flows SEC(".maps");

struct headers {
	struct ethhdr ethernet;
	struct iphdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

static __always_inline __u32 bench_choose(struct bench_control *c)
{
	__u32 x = c->state;

	if (c->in_order) {
		c->state = x + 1;
		return c->first_flow + (x - 1) % c->flows;
	}
	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	c->state = x;
	return c->first_flow + x % c->flows;
}

static __always_inline __be32 bench_client(const struct bench_control *c, __u32 flow)
{
	return bpf_htonl(c->client_base + (flow & 0xffff));
}

/* Above the ports that masquerading gives out. */
static __always_inline __be16 bench_client_port(__u32 flow)
{
	return bpf_htons(32768 + (flow >> 16));
}

static __always_inline __be32 bench_service(const struct bench_control *c, __u32 flow)
{
	return bpf_htonl(c->service_base + flow % c->services);
}

static __always_inline __be16 bench_id(struct bench_control *c, __u32 flow)
{
	if (c->new_ids)
		flow = ++c->id;
	return bpf_htons(flow);
}

/* A global function, as the hooks are, so that it is called in the same way. */
__noinline int bench_stub(struct __sk_buff *skb)
{
	return skb->len ? TCX_NEXT : TCX_DROP;
}

/* Not in the caller's frame: the deepest chain below has little of the 512 octets of stack left. */
static __always_inline bool bench_write(struct __sk_buff *skb, struct bench_control *c, __u32 flow)
{
	struct headers *h = (void *)(long)skb->data;
	struct bench_flow *recorded = NULL;

	if (c->from_backend) {
		recorded = bpf_map_lookup_elem(&bench_flows, &flow);
		if (!recorded)
			return false;
	}
	if ((void *)(h + 1) > (void *)(long)skb->data_end)
		return false;
	/* The rest stays as user space made it. Checksums are kept by differences, so what they start from is of no matter. */
	h->ip.check = 0;
	h->ip.id = bench_id(c, flow);
	h->ip.frag_off = bpf_htons(c->frag_off);
	h->tcp.check = 0;
	((__u8 *)&h->tcp)[13] = c->tcp_flags;
	if (recorded) {
		h->ip.saddr = recorded->destination;
		h->ip.daddr = recorded->source;
		h->tcp.source = recorded->destination_port;
		h->tcp.dest = recorded->source_port;
	} else {
		h->ip.saddr = bench_client(c, flow);
		h->ip.daddr = c->destination ? bpf_htonl(c->destination) : bench_service(c, flow);
		h->tcp.source = bench_client_port(flow);
		h->tcp.dest = bpf_htons(80);
	}
	c->sent_source = h->ip.saddr;
	c->sent_destination = h->ip.daddr;
	return true;
}

static __always_inline bool bench_is_rejection(const struct headers *h, const struct bench_control *c)
{
	const struct icmp_header *icmp = (const void *)&h->tcp;

	return h->ip.protocol == IPPROTO_ICMP && icmp->type == ICMP_V4_UNREACHABLE && icmp->code == ICMP_V4_UNREACHABLE_PORT &&
	       h->ip.saddr == c->sent_destination && h->ip.daddr == c->sent_source;
}

static __always_inline int bench_judge(struct __sk_buff *skb, struct bench_control *c, __u32 flow, int verdict)
{
	struct headers *h = (void *)(long)skb->data;
	struct bench_flow *recorded;
	__u32 outcome = verdict == TCX_NEXT ? 0 : BENCH_NOT_PASSED;

	if ((void *)(h + 1) > (void *)(long)skb->data_end)
		return TCX_DROP;
	if (h->ip.daddr != c->sent_destination)
		outcome |= BENCH_NEW_DESTINATION;
	if (h->ip.saddr != c->sent_source)
		outcome |= BENCH_NEW_SOURCE;
	if (verdict == TCX_REDIRECT && bench_is_rejection(h, c))
		outcome = BENCH_REJECTED;
	c->outcome[outcome & 15]++;
	if (!c->record)
		return verdict;
	recorded = bpf_map_lookup_elem(&bench_flows, &flow);
	if (recorded) {
		recorded->source = h->ip.saddr;
		recorded->destination = h->ip.daddr;
		recorded->source_port = h->tcp.source;
		recorded->destination_port = h->tcp.dest;
	}
	return verdict;
}

/* A rejection has cut the packet and put two headers before what was left. */
static __noinline int bench_undo(struct __sk_buff *skb)
{
	if (bpf_skb_adjust_room(skb, -(__s32)sizeof(struct reject_v4), BPF_ADJ_ROOM_MAC, 0))
		return -1;
	return bpf_skb_change_tail(skb, BENCH_OCTETS, 0);
}

SEC("tc") int bench_packet(struct __sk_buff *skb)
{
	__u32 row = 0, flow;
	struct bench_control *c = bpf_map_lookup_elem(&bench_control, &row);
	int verdict;

	if (!c || !c->flows || !c->services)
		return TCX_DROP;
	flow = bench_choose(c);
	if (!bench_write(skb, c, flow))
		return TCX_DROP;
	skb->mark = 0;
	if (c->timed)
		c->timed_ns -= bpf_ktime_get_ns();
	if (c->hooks == 0) {
		verdict = bench_stub(skb);
		if (verdict == TCX_NEXT)
			verdict = bench_stub(skb);
	} else {
		verdict = tc_ingress(skb);
		if (verdict == TCX_NEXT && c->hooks == 2)
			verdict = tc_egress(skb);
	}
	if (c->timed)
		c->timed_ns += bpf_ktime_get_ns();
	verdict = bench_judge(skb, c, flow, verdict);
	if (skb->len != BENCH_OCTETS && bench_undo(skb))
		return TCX_DROP;
	return verdict;
}

/* Ends the chosen flow, so that it is new to the next packet. */
SEC("tc") int bench_release(struct __sk_buff *skb)
{
	union lb_addr client, service;
	struct bench_control *c;
	struct flow flow = {};
	struct lb_flow_key key;
	__u32 row = 0, number;

	c = bpf_map_lookup_elem(&bench_control, &row);
	if (!c || !c->flows || !c->services)
		return TCX_DROP;
	number = bench_choose(c);
	lb_addr_set_v4(&client, bench_client(c, number));
	lb_addr_set_v4(&service, bench_service(c, number));
	flow_key(&key, LB_IN, IPPROTO_TCP, &client, bench_client_port(number), &service, bpf_htons(80));
	if (flow_find(&key, &flow) && flow_release(flow.state, flow.rewrite.claim))
		c->outcome[0]++;
	return TCX_NEXT;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
