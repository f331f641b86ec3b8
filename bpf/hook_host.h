/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The two programs of turnout0, the node's end of the host's port: traffic of the node to Services that no socket hook translated.
 * They do nothing but put aliases for the node's addresses and back; the Service is found at the other end, turnout1, as for a pod.
 *   out  (the node sends)    source address -> alias;      in ICMP errors also the destination inside
 *   in   (the node is told)  destination alias -> address; in ICMP errors also the source inside
 * Nothing is remembered, so nothing expires; fragments need no ports.
 */
#pragma once

#include "host_alias.h"
#include "icmp.h"
#include "nat.h"
#include "tc_packet.h"

/* The address inside an error is the one of the node too, unless the error is about something else. */
static __noinline int host_rewrite_inner(struct __sk_buff *skb, const struct packet *p)
{
	struct inner inner;
	union lb_addr to;

	if (p->fragment || !icmp_is_error_message(skb, p))
		return 0;
	if (!icmp_inner(skb, p->l4_offset + sizeof(struct icmp_header), p->is_v4, &inner))
		return 0;
	if (!host_alias(p->key.direction == LB_IN ? &inner.key.source : &inner.key.destination, &to))
		return 0;
	return icmp_rewrite_inner_address(skb, p, &inner, &to);
}

static __noinline int host_rewrite(struct __sk_buff *skb, const struct lb_device *dev, enum lb_direction direction)
{
	struct lb_rewrite rewrite = {};
	struct packet p;
	int error;

	if (!packet_read(skb, dev, &p))
		return TCX_DROP; /* no protocol of Services: nobody at the other end would take it */
	p.key.direction = direction;
	if (packet_is_multicast(&p))
		return TCX_DROP; /* the devices' own reports of IPv6 groups */
	if (!host_alias(direction == LB_IN ? &p.key.destination : &p.key.source, &rewrite.address))
		return drop(skb, &p, LB_DROP_NO_ALIAS, 0);
	if (packet_is_icmp(&p)) {
		error = host_rewrite_inner(skb, &p);
		if (!error)
			error = icmp_rewrite_outer_address(skb, &p, &rewrite.address);
	} else {
		rewrite.source_port = p.key.source_port;
		rewrite.destination_port = p.key.destination_port;
		error = nat_rewrite(skb, &p, &rewrite);
	}
	return error ? drop(skb, &p, LB_DROP_REWRITE_FAILED, 0) : TCX_NEXT;
}

SEC("tcx/ingress") int host_ingress(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex;
	struct lb_device *dev = bpf_map_lookup_elem(&devices, &ifindex);

	return dev ? host_rewrite(skb, dev, LB_IN) : TCX_NEXT;
}

SEC("tcx/egress") int host_egress(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex;
	struct lb_device *dev = bpf_map_lookup_elem(&devices, &ifindex);

	return dev ? host_rewrite(skb, dev, LB_OUT) : TCX_NEXT;
}
