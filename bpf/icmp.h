/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * ICMP about translated flows (rule 4). An error carries the head of the packet it is about, as it was where the error was
 * made. Turned around, that packet is one of our flow's other direction, so the same entries serve:
 *   in   turned key -> outer destination and inner source become the entry's address
 *   out  turned key -> inner destination (and the outer source, when the backend itself complains) become the entry's address
 * Redirects are dropped on the way out, never translated: a translated one makes the client route the whole Service to one backend.
 */
#pragma once

#include "event.h"
#include "flow.h"
#include "nat.h"
#include "packet.h"

#define NDISC_REDIRECT_FIXED 40 /* ICMPv6 header, target and destination address */
#define NDISC_OPTION_REDIRECTED 4
#define NDISC_OPTION_HEADER 8

/* The packet inside an ICMP message: where it starts, and its 5-tuple. */
struct inner {
	struct lb_flow_key key;
	__u32 l3_offset;
	__u32 l4_offset;
};

static __always_inline bool packet_is_icmp(const struct packet *p)
{
	return p->key.protocol == IPPROTO_ICMP || p->key.protocol == IPPROTO_ICMPV6;
}

/* Not a verdict: the message is about none of our flows. */
#define ICMP_UNKNOWN (-100)

/* Types that carry the head of another packet and are no redirects. */
static __always_inline bool icmp_is_error(bool is_v4, __u8 type)
{
	if (is_v4)
		return type == 3 || type == 4 || type == 11 || type == 12; /* RFC 792 */
	return type >= 1 && type <= 4; /* RFC 4443: below 128 are errors, these are assigned */
}

static __always_inline bool icmp_is_error_message(struct __sk_buff *skb, const struct packet *p)
{
	__u8 type;

	return !bpf_skb_load_bytes(skb, p->l4_offset, &type, sizeof(type)) && icmp_is_error(p->is_v4, type);
}

/* Where the packet inside an ICMP redirect starts; 0: this is no redirect. */
static __always_inline __u32 icmp_redirect_inner(struct __sk_buff *skb, const struct packet *p)
{
	__u32 at = p->l4_offset;
	__u8 head[2];

	if (bpf_skb_load_bytes(skb, at, head, sizeof(head)))
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

/* From `at`, behind the inner IPv6 header, to behind its extension headers; 0 where they are cut, or are those of a later fragment. */
static __noinline int icmp_inner_skip(struct __sk_buff *skb, __u32 at, __u8 *next)
{
	struct ipv6_fragment header; /* each header begins with the number of the next, and has eight octets at least */

	if (!next)
		return 0;
	for (int i = 0; i < IPV6_EXTENSION_HEADERS_MAX && ipv6_is_extension(*next); i++) {
		if (bpf_skb_load_bytes(skb, at, &header, sizeof(header)))
			return 0;
		at += sizeof(header);
		if (*next != IPPROTO_FRAGMENT)
			at += ((struct ipv6_extension *)&header)->length * 8;
		else if (header.offset & bpf_htons(IPV6_FRAGMENT_OFFSET))
			return 0;
		*next = header.next;
	}
	return at;
}

/* False when the inner packet is cut before its ports, malformed, a later fragment, or of a protocol without ports. */
static __noinline int icmp_inner(struct __sk_buff *skb, __u32 at, bool is_v4, struct inner *inner)
{
	struct ipv6hdr v6;
	struct iphdr v4;
	struct ports ports;

	inner->l3_offset = at;
	if (is_v4) {
		if (bpf_skb_load_bytes(skb, at, &v4, sizeof(v4)) || v4.version != 4 || v4.ihl < 5 ||
		    v4.frag_off & bpf_htons(IP_FRAGMENT_OFFSET))
			return false;
		lb_addr_set_v4(&inner->key.source, v4.saddr);
		lb_addr_set_v4(&inner->key.destination, v4.daddr);
		inner->key.protocol = v4.protocol;
		at += v4.ihl * 4;
	} else {
		if (bpf_skb_load_bytes(skb, at, &v6, sizeof(v6)) || v6.version != 6)
			return false;
		lb_addr_set_v6(&inner->key.source, v6.saddr.in6_u.u6_addr32);
		lb_addr_set_v6(&inner->key.destination, v6.daddr.in6_u.u6_addr32);
		at = icmp_inner_skip(skb, at + sizeof(v6), &v6.nexthdr);
		if (!at)
			return false;
		inner->key.protocol = v6.nexthdr;
	}
	if (inner->key.protocol != IPPROTO_TCP && inner->key.protocol != IPPROTO_UDP && inner->key.protocol != IPPROTO_SCTP)
		return false;
	if (bpf_skb_load_bytes(skb, at, &ports, sizeof(ports)))
		return false;
	inner->l4_offset = at;
	inner->key.source_port = ports.source;
	inner->key.destination_port = ports.destination;
	inner->key.pad = 0;
	return true;
}

static __always_inline void icmp_turned_key(const struct inner *inner, enum lb_direction direction, struct lb_flow_key *key)
{
	flow_key(key, direction, inner->key.protocol, &inner->key.destination, inner->key.destination_port, &inner->key.source,
		 inner->key.source_port);
}

/* One address of the inner header, and the checksums above it. The inner layer 4 checksum stays: nobody can verify a cut packet. */
static __noinline int icmp_rewrite_inner_address(struct __sk_buff *skb, const struct packet *p, const struct inner *inner,
						 const union lb_addr *to)
{
	bool in = p->key.direction == LB_IN;
	const union lb_addr *from = in ? &inner->key.source : &inner->key.destination;
	__u32 icmp_checksum = p->l4_offset + offsetof(struct icmp_header, checksum);
	__u32 field = inner->l3_offset;
	__u16 before, after;
	__s64 difference;

	if (!p->is_v4) {
		field += in ? offsetof(struct ipv6hdr, saddr) : offsetof(struct ipv6hdr, daddr);
		difference = bpf_csum_diff((__be32 *)from->word, 16, (__be32 *)to->word, 16, 0);
		if (bpf_l4_csum_replace(skb, icmp_checksum, 0, difference, 0))
			return -1;
		return bpf_skb_store_bytes(skb, field, to->word, 16, 0);
	}
	/* The header checksum absorbs the address change, so the sum over both stays and so does the ICMP checksum, but for rounding. */
	field += in ? offsetof(struct iphdr, saddr) : offsetof(struct iphdr, daddr);
	if (bpf_skb_load_bytes(skb, inner->l3_offset + offsetof(struct iphdr, check), &before, sizeof(before)))
		return -1;
	if (bpf_l3_csum_replace(skb, inner->l3_offset + offsetof(struct iphdr, check), from->word[3], to->word[3],
				sizeof(__be32)))
		return -1;
	if (bpf_skb_load_bytes(skb, inner->l3_offset + offsetof(struct iphdr, check), &after, sizeof(after)))
		return -1;
	if (bpf_l4_csum_replace(skb, icmp_checksum, before, after, sizeof(after)) ||
	    bpf_l4_csum_replace(skb, icmp_checksum, from->word[3], to->word[3], sizeof(__be32)))
		return -1;
	return bpf_skb_store_bytes(skb, field, &to->word[3], sizeof(__be32), 0);
}

static __always_inline int icmp_rewrite_inner_ports(struct __sk_buff *skb, const struct packet *p, const struct inner *inner,
						    __be16 source_port, __be16 destination_port)
{
	struct ports ports = { .source = source_port, .destination = destination_port };
	__u32 icmp_checksum = p->l4_offset + offsetof(struct icmp_header, checksum);

	if (bpf_l4_csum_replace(skb, icmp_checksum, inner->key.source_port, source_port, sizeof(__be16)) ||
	    bpf_l4_csum_replace(skb, icmp_checksum, inner->key.destination_port, destination_port, sizeof(__be16)))
		return -1;
	return bpf_skb_store_bytes(skb, inner->l4_offset, &ports, sizeof(ports), 0);
}

/* The outer address: ICMP has no pseudo header in IPv4, ICMPv6 has one. */
static __noinline int icmp_rewrite_outer_address(struct __sk_buff *skb, const struct packet *p, const union lb_addr *to)
{
	bool in = p->key.direction == LB_IN;
	const union lb_addr *from = in ? &p->key.destination : &p->key.source;
	__u32 field = p->l3_offset;
	__be32 before, after;

	if (!p->is_v4) {
		field += in ? offsetof(struct ipv6hdr, daddr) : offsetof(struct ipv6hdr, saddr);
		return nat_address_v6(skb, p, from, to, field);
	}
	field += in ? offsetof(struct iphdr, daddr) : offsetof(struct iphdr, saddr);
	before = from->word[3];
	after = to->word[3];
	if (bpf_l3_csum_replace(skb, p->l3_offset + offsetof(struct iphdr, check), before, after, sizeof(after)))
		return -1;
	return bpf_skb_store_bytes(skb, field, &after, sizeof(after), 0);
}

/* Translates an error about one of our flows; ICMP_UNKNOWN for everything else. */
static __noinline int icmp_translate(struct __sk_buff *skb, const struct packet *p)
{
	struct lb_flow_key turned;
	struct flow flow = {};
	struct inner inner;
	union lb_addr to;
	bool in = p->key.direction == LB_IN;
	__u8 type;

	if (bpf_skb_load_bytes(skb, p->l4_offset, &type, sizeof(type)) || !icmp_is_error(p->is_v4, type))
		return ICMP_UNKNOWN;
	if (!icmp_inner(skb, p->l4_offset + sizeof(struct icmp_header), p->is_v4, &inner))
		return ICMP_UNKNOWN;
	icmp_turned_key(&inner, p->key.direction, &turned);
	if (!flow_find(&turned, &flow) || flow.rewrite.flags & (LB_REWRITE_STEER | LB_REWRITE_PENDING))
		return ICMP_UNKNOWN;
	to = flow.rewrite.address;
	if (icmp_rewrite_inner_address(skb, p, &inner, &to) ||
	    icmp_rewrite_inner_ports(skb, p, &inner, flow.rewrite.destination_port, flow.rewrite.source_port))
		goto failed;
	/*
	 * On the way out to the client a router's complaint keeps the router's address; only the backend's own becomes the frontend's. To a
	 * backend that sees us for the client all of them are ours: it may have no way to that router, and drop what comes from there.
	 */
	if ((in || !(flow.rewrite.flags & LB_REWRITE_REPLY) || lb_addr_equal(&p->key.source, &turned.source)) &&
	    icmp_rewrite_outer_address(skb, p, &to))
		goto failed;
	count(LB_ICMP_TRANSLATED);
	return TCX_NEXT;
failed:
	refuse(p, skb->ifindex, LB_DROP_REWRITE_FAILED, flow.state->service_id);
	return TCX_DROP;
}

/* Inner packet of a redirect: client -> backend, or backend -> client; the reply's entry tells for both. */
static __noinline int icmp_redirect_is_ours(struct __sk_buff *skb, const struct packet *p)
{
	__u32 at = icmp_redirect_inner(skb, p);
	struct lb_flow_key turned;
	struct flow flow = {};
	struct inner inner;

	if (!at || !icmp_inner(skb, at, p->is_v4, &inner))
		return false;
	inner.key.direction = LB_OUT;
	icmp_turned_key(&inner, LB_OUT, &turned);
	return flow_find(&inner.key, &flow) || flow_find(&turned, &flow);
}

static __always_inline int icmp_egress(struct __sk_buff *skb, const struct packet *p)
{
	if (icmp_redirect_is_ours(skb, p)) {
		refuse(p, skb->ifindex, LB_DROP_ICMP_REDIRECT, 0);
		return TCX_DROP;
	}
	return icmp_translate(skb, p);
}
