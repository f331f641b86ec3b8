/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Changing a packet: one address, both ports, and the checksums that cover them. tc only: the kernel keeps skb->csum right. */
#pragma once

#include "crc32c.h"
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

/* False where no checksum of this packet covers its addresses: SCTP's has no pseudo header, later fragments have none at all. */
static __always_inline bool nat_l4_covers_addresses(const struct packet *p)
{
	return p->fragment != PACKET_LATER_FRAGMENT && p->key.protocol != IPPROTO_SCTP;
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

	if (nat_l4_covers_addresses(p) && bpf_l4_csum_replace(skb, nat_l4_checksum_offset(p), from->word[3], to->word[3],
							      nat_l4_flags(p) | BPF_F_PSEUDO_HDR | sizeof(__be32)))
		return -1;
	if (bpf_l3_csum_replace(skb, ip_checksum, from->word[3], to->word[3], sizeof(__be32)))
		return -1;
	return bpf_skb_store_bytes(skb, field, &to->word[3], sizeof(__be32), 0);
}

/*
 * In IPv6 no header checksum balances the address change, so skb->csum of CHECKSUM_COMPLETE packets must not be touched, while
 * CHECKSUM_PARTIAL (made on this node, a pod's packets on the way in too) needs the pseudo header. Kernels that know the IPv6
 * flag do both; for older ones a sum of nothing is added, which is refused for all but CHECKSUM_COMPLETE. SCTP's checksum balances nothing.
 */
static __always_inline int nat_address_v6(struct __sk_buff *skb, const struct packet *p, const union lb_addr *from,
					  const union lb_addr *to, __u32 field)
{
	__u64 flags = nat_l4_flags(p);
	__s64 difference;

	if (p->key.protocol == IPPROTO_SCTP)
		return bpf_skb_store_bytes(skb, field, to->word, 16, BPF_F_RECOMPUTE_CSUM);
	if (nat_l4_covers_addresses(p)) {
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

static __always_inline bool nat_ports_stay(const struct packet *p, __be16 source_port, __be16 destination_port)
{
	return p->key.source_port == source_port && p->key.destination_port == destination_port;
}

/* Octets from the SCTP header to the end of the packet, as the IP header has it: the frame may be padded. Zero where it makes no sense. */
static __always_inline __u32 nat_sctp_length(struct __sk_buff *skb, const struct packet *p)
{
	__u32 headers = p->l4_offset - p->l3_offset, length;
	__be16 field;

	if (bpf_skb_load_bytes(skb,
			       p->l3_offset +
				       (p->is_v4 ? offsetof(struct iphdr, tot_len) : offsetof(struct ipv6hdr, payload_len)),
			       &field, sizeof(field)))
		return 0;
	length = bpf_ntohs(field) + (p->is_v4 ? 0 : sizeof(struct ipv6hdr));
	return length >= headers + sizeof(struct sctp_header) + sizeof(struct sctp_chunk) ? length - headers : 0;
}

/*
 * SCTP's checksum is a CRC32c over the whole packet (RFC 9260 section 6.8), changed by the difference like the others: right stays right,
 * wrong stays wrong. Zero stays zero: it is filled in later, by this kernel or a device, from a sum over the field too (CHECKSUM_PARTIAL,
 * GSO), or the ends have agreed to do without (RFC 9653). The price: 1 of 2^32 packets has zero for its true checksum, arrives with a
 * wrong one and is sent again.
 */
static __noinline int nat_sctp_ports(struct __sk_buff *skb, const struct packet *p, __be16 source_port, __be16 destination_port)
{
	struct sctp_header header;
	struct ports difference;
	__u32 length;

	if (bpf_skb_load_bytes(skb, p->l4_offset, &header, sizeof(header)))
		return -1;
	difference.source = header.source ^ source_port;
	difference.destination = header.destination ^ destination_port;
	header.source = source_port;
	header.destination = destination_port;
	if (header.checksum) {
		length = nat_sctp_length(skb, p);
		if (!length)
			return -1;
		header.checksum ^= crc32c_word(crc32c_change(crc32c_word(*(__be32 *)&difference), length));
	}
	return bpf_skb_store_bytes(skb, p->l4_offset, &header, sizeof(header), BPF_F_RECOMPUTE_CSUM);
}

static __always_inline int nat_ports(struct __sk_buff *skb, const struct packet *p, __be16 source_port, __be16 destination_port)
{
	struct ports ports = { .source = source_port, .destination = destination_port };
	__u32 checksum = nat_l4_checksum_offset(p);
	__u64 flags = nat_l4_flags(p) | sizeof(__be16);

	if (nat_ports_stay(p, source_port, destination_port))
		return 0;
	if (p->key.protocol == IPPROTO_SCTP)
		return nat_sctp_ports(skb, p, source_port, destination_port);
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

	/* The CRC of all fragments together cannot be mended in the first: how long they are is known with the last. All of them go. */
	if (p->key.protocol == IPPROTO_SCTP && p->fragment && !nat_ports_stay(p, rewrite->source_port, rewrite->destination_port))
		return -1;
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
