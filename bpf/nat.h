/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Changing a packet: one address, both ports, and the checksums that cover them. tc only: the kernel keeps skb->csum right. */
#pragma once

#include "packet.h"

/* Linux 6.16: "the address is IPv6". Without it the helper spoils skb->csum of CHECKSUM_COMPLETE packets. */
#define L4_CSUM_IPV6 (1ULL << 7)

static __always_inline __u32 nat_l4_checksum_offset(const struct packet *p)
{
	switch (p->key.protocol) {
	case IPPROTO_TCP:
		return p->l4_offset + offsetof(struct tcphdr, check);
	case IPPROTO_UDP:
		return p->l4_offset + offsetof(struct udphdr, check);
	default:
		return p->l4_offset + offsetof(struct icmp_header, checksum);
	}
}

/* A UDP checksum of zero means "none" and stays zero. */
static __always_inline __u64 nat_l4_flags(const struct packet *p)
{
	return p->key.protocol == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
}

static __always_inline int nat_address_v4(struct __sk_buff *skb, const struct packet *p, const union lb_addr *from,
					  const union lb_addr *to, __u32 field)
{
	__u32 ip_checksum = p->l3_offset + offsetof(struct iphdr, check);

	if (p->fragment != PACKET_LATER_FRAGMENT &&
	    bpf_l4_csum_replace(skb, nat_l4_checksum_offset(p), from->word[3], to->word[3],
				nat_l4_flags(p) | BPF_F_PSEUDO_HDR | sizeof(__be32)))
		return -1;
	if (bpf_l3_csum_replace(skb, ip_checksum, from->word[3], to->word[3], sizeof(__be32)))
		return -1;
	return bpf_skb_store_bytes(skb, field, &to->word[3], sizeof(__be32), 0);
}

/*
 * In IPv6 no header checksum balances the address change, so skb->csum of CHECKSUM_COMPLETE packets must not be touched, while
 * CHECKSUM_PARTIAL (made on this node, a pod's packets on the way in too) needs the pseudo header. Kernels that know the IPv6
 * flag do both; for older ones a sum of nothing is added, which is refused for all but CHECKSUM_COMPLETE.
 */
static __always_inline int nat_address_v6(struct __sk_buff *skb, const struct packet *p, const union lb_addr *from,
					  const union lb_addr *to, __u32 field)
{
	__u64 flags = nat_l4_flags(p);
	__s64 difference;

	if (p->fragment != PACKET_LATER_FRAGMENT) {
		difference = bpf_csum_diff((__be32 *)from->word, 16, (__be32 *)to->word, 16, 0);
		if (bpf_l4_csum_replace(skb, nat_l4_checksum_offset(p), 0, difference, flags | BPF_F_PSEUDO_HDR | L4_CSUM_IPV6)) {
			if (bpf_csum_update(skb, 0) < 0)
				flags |= BPF_F_PSEUDO_HDR;
			if (bpf_l4_csum_replace(skb, nat_l4_checksum_offset(p), 0, difference, flags))
				return -1;
		}
	}
	return bpf_skb_store_bytes(skb, field, to->word, 16, 0);
}

static __always_inline int nat_ports(struct __sk_buff *skb, const struct packet *p, __be16 source_port, __be16 destination_port)
{
	struct ports ports = { .source = source_port, .destination = destination_port };
	__u32 checksum = nat_l4_checksum_offset(p);
	__u64 flags = nat_l4_flags(p) | sizeof(__be16);

	if (p->key.source_port == source_port && p->key.destination_port == destination_port)
		return 0;
	if (p->key.source_port != source_port && bpf_l4_csum_replace(skb, checksum, p->key.source_port, source_port, flags))
		return -1;
	if (p->key.destination_port != destination_port &&
	    bpf_l4_csum_replace(skb, checksum, p->key.destination_port, destination_port, flags))
		return -1;
	return bpf_skb_store_bytes(skb, p->l4_offset, &ports, sizeof(ports), 0);
}

/* Direction in: the destination becomes `address`; out: the source. Later fragments have no ports to change. 0 or -1. */
static __noinline int nat_rewrite(struct __sk_buff *skb, const struct packet *p, const struct lb_rewrite *rewrite)
{
	bool in = p->key.direction == LB_IN;
	union lb_addr from = in ? p->key.destination : p->key.source;
	union lb_addr to = rewrite->address;
	__u32 field;

	if (!lb_addr_equal(&from, &to)) {
		if (p->is_v4) {
			field = p->l3_offset + (in ? offsetof(struct iphdr, daddr) : offsetof(struct iphdr, saddr));
			if (nat_address_v4(skb, p, &from, &to, field))
				return -1;
		} else {
			field = p->l3_offset + (in ? offsetof(struct ipv6hdr, daddr) : offsetof(struct ipv6hdr, saddr));
			if (nat_address_v6(skb, p, &from, &to, field))
				return -1;
		}
	}
	if (p->fragment == PACKET_LATER_FRAGMENT)
		return 0;
	return nat_ports(skb, p, rewrite->source_port, rewrite->destination_port);
}
