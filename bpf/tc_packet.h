/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the tc programs do with any packet: read it, tell whether it is addressed to this node, drop it, or leave it alone. Whatever is not
 * surely ours passes on to the next program (rule 9).
 */
#pragma once

#include "event.h"
#include "fragment.h"
#include "packet.h"

#define PULL_OCTETS 128 /* enough for Ethernet, IPv6, two extension headers and TCP */

/*
 * The kernel's own SCTP sends several packets as one (GSO): common header in the linear part, behind it a list with the chunks of one packet
 * each. Octets pulled from there would be missing in that packet, so the chunk is looked at where it is.
 */
static __always_inline int packet_read_chunk(struct __sk_buff *skb, struct packet *p)
{
	struct sctp_chunk chunk;

	if (bpf_skb_load_bytes(skb, p->l4_offset + sizeof(struct sctp_header), &chunk, sizeof(chunk)))
		return false;
	p->sctp_chunk = chunk.type;
	return true;
}

/* Fills `p`; false when the packet is none of our business. Headers outside the linear part are pulled in once. */
static __noinline int packet_read(struct __sk_buff *skb, const struct lb_device *dev, struct packet *p)
{
	enum parse_result result;
	__u32 octets = PULL_OCTETS;

	result = parse_packet((void *)(long)skb->data, (void *)(long)skb->data_end, dev->l2_length, skb->protocol, p);
	if (result == PARSE_SHORT) {
		if (skb->len < octets)
			octets = skb->len;
		if (bpf_skb_pull_data(skb, octets))
			return false;
		result = parse_packet((void *)(long)skb->data, (void *)(long)skb->data_end, dev->l2_length, skb->protocol, p);
	}
	return result == PARSE_OK || (result == PARSE_CHUNK && packet_read_chunk(skb, p));
}

/* `service_id` is zero where no Service is known yet. */
static __always_inline int drop(struct __sk_buff *skb, const struct packet *p, enum lb_counter reason, __u32 service_id)
{
	refuse(p, skb->ifindex, reason, service_id);
	return TCX_DROP;
}

/* Rule 1: on a bridge port only what is addressed to the bridge itself; elsewhere only what is addressed to this host. */
static __noinline int packet_is_ours(struct __sk_buff *skb, const struct lb_device *dev)
{
	__u8 mac[6];

	if (!(dev->flags & LB_DEVICE_BRIDGE_PORT))
		return skb->pkt_type == PACKET_HOST;
	if (bpf_skb_load_bytes(skb, 0, mac, sizeof(mac)))
		return false;
	for (int i = 0; i < 6; i++)
		if (mac[i] != dev->mac[i])
			return false;
	return true;
}

/*
 * None of our business: it goes on as it is. Not so on the host's port, where aliases stand for the node's addresses: what nobody
 * translates there would leave the node with an alias as its source, or come to the node from whoever sends to an alias.
 */
static __always_inline int leave(struct __sk_buff *skb, const struct lb_device *dev, const struct packet *p)
{
	if (!(dev->flags & LB_DEVICE_HOST))
		return TCX_NEXT;
	if (packet_is_multicast(p))
		return TCX_DROP; /* the devices' own reports of IPv6 groups */
	return drop(skb, p, LB_DROP_HOST_PORT, 0);
}

/* A fragment whose flow cannot be asked for. */
static __noinline int leave_fragment(struct __sk_buff *skb, const struct lb_device *dev, const struct packet *p, int result)
{
	switch (result) {
	case FRAGMENT_TAKEN:
		return TCX_DROP; /* it comes again */
	case FRAGMENT_LOST:
		return drop(skb, p, LB_DROP_FRAGMENT, 0);
	default:
		return leave(skb, dev, p);
	}
}

/* What cannot be read: none of our business, unless it is the first fragment of a datagram for us, cut before its ports. */
static __noinline int leave_unread(struct __sk_buff *skb, const struct lb_device *dev, struct packet *p)
{
	int result;

	if (dev->flags & LB_DEVICE_HOST)
		return TCX_DROP;
	p->key.direction = LB_IN;
	if (p->fragment != PACKET_FIRST_FRAGMENT || !fragment_has_ports(p) || !packet_is_ours(skb, dev))
		return TCX_NEXT;
	result = fragment_without_ports(skb, p);
	return leave_fragment(skb, dev, p, result == FRAGMENT_KNOWN ? FRAGMENT_OTHERS : result);
}
