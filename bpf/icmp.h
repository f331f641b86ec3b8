/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* ICMP about translated flows. Redirects are dropped, never translated (rule 4). */
#pragma once

#include "count.h"
#include "flow.h"
#include "packet.h"

#define NDISC_REDIRECT_FIXED 40 /* ICMPv6 header, target and destination address */
#define NDISC_OPTION_REDIRECTED 4
#define NDISC_OPTION_HEADER 8

static __always_inline bool packet_is_icmp(const struct packet *p)
{
	return p->key.protocol == IPPROTO_ICMP || p->key.protocol == IPPROTO_ICMPV6;
}

/* Where the packet inside an ICMP redirect starts; 0: this is no redirect. */
static __always_inline __u32 icmp_redirect_inner(struct __sk_buff *skb, const struct packet *p)
{
	__u32 at = p->l4_offset;
	__u8 head[2];

	if (p->fragment == PACKET_LATER_FRAGMENT || bpf_skb_load_bytes(skb, at, head, sizeof(head)))
		return 0;
	if (p->is_v4)
		return head[0] == ICMP_V4_REDIRECT ? at + sizeof(struct icmp_header) : 0;
	if (head[0] != ICMP_V6_REDIRECT)
		return 0;
	/* Options in any order; the redirected header comes last or after the target's link-layer address. */
	at += NDISC_REDIRECT_FIXED;
	for (int i = 0; i < 3; i++) {
		if (bpf_skb_load_bytes(skb, at, head, sizeof(head)) || !head[1])
			return 0;
		if (head[0] == NDISC_OPTION_REDIRECTED)
			return at + NDISC_OPTION_HEADER;
		at += head[1] * 8;
	}
	return 0;
}

/* The 5-tuple of the packet an ICMP error is about; at least 8 octets of its layer 4 header are there (RFC 792). */
static __noinline int icmp_inner_key(struct __sk_buff *skb, __u32 at, bool is_v4, struct lb_flow_key *key)
{
	struct ipv6hdr v6;
	struct iphdr v4;
	struct ports ports;

	if (is_v4) {
		if (bpf_skb_load_bytes(skb, at, &v4, sizeof(v4)))
			return false;
		lb_addr_set_v4(&key->source, v4.saddr);
		lb_addr_set_v4(&key->destination, v4.daddr);
		key->protocol = v4.protocol;
		at += v4.ihl * 4;
	} else {
		if (bpf_skb_load_bytes(skb, at, &v6, sizeof(v6)))
			return false;
		lb_addr_set_v6(&key->source, v6.saddr.in6_u.u6_addr32);
		lb_addr_set_v6(&key->destination, v6.daddr.in6_u.u6_addr32);
		key->protocol = v6.nexthdr;
		at += sizeof(v6);
	}
	if (bpf_skb_load_bytes(skb, at, &ports, sizeof(ports)))
		return false;
	key->source_port = ports.source;
	key->destination_port = ports.destination;
	key->pad = 0;
	return true;
}

static __always_inline int icmp_ingress(struct __sk_buff *skb, const struct packet *p)
{
	return TCX_NEXT;
}

/*
 * The stack says to a sender "the backend is nearer by another way". About a translated packet this is wrong: the sender
 * never spoke to the backend, and would route the whole Service to it. Inner packet: client -> backend, or backend -> client.
 */
static __noinline int icmp_egress(struct __sk_buff *skb, const struct packet *p)
{
	__u32 at = icmp_redirect_inner(skb, p);
	struct lb_flow_key inner, turned;
	struct flow flow = {};

	if (!at || !icmp_inner_key(skb, at, p->is_v4, &inner))
		return TCX_NEXT;
	/* Both are about one flow: the reply's entry tells, whichever direction the inner packet has. */
	inner.direction = LB_OUT;
	flow_key(&turned, LB_OUT, inner.protocol, &inner.destination, inner.destination_port, &inner.source, inner.source_port);
	if (!flow_find(&inner, &flow) && !flow_find(&turned, &flow))
		return TCX_NEXT;
	refuse(p, skb->ifindex, LB_DROP_ICMP_REDIRECT);
	return TCX_DROP;
}
