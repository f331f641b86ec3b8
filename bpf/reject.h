/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * ICMP and ICMPv6 "port unreachable", made out of the packet that is refused and sent back where it came from.
 * The refused packet's headers stay where they are; room for the new ones is made in front of them. So a partial checksum
 * (a pod's own packet) still points at its TCP header, and whoever fills it in does no harm. SCTP's would be a CRC32c over what is quoted,
 * which the error's own checksum does not expect; but devices that hand on packets without it (veth) do not fill it in.
 */
#pragma once

#include "config.h"
#include "event.h"
#include "packet.h"

/*
 * What follows the refused IP header in the error: RFC 792 asks for 8 octets; TCP gets its whole header, see above. SCTP gets its header
 * and of an INIT as much as the initiate tag, by which the client knows that the error is about its own (RFC 9260 section 10, ICMP6);
 * of other chunks, whose verification tag says so, the chunk's header, which is there in every packet.
 */
#define REJECT_TCP_OCTETS 20
#define REJECT_SCTP_INIT_OCTETS 20
#define REJECT_SCTP_OCTETS 16
#define REJECT_UDP_OCTETS 8
#define REJECT_INNER_MAX 80 /* IPv4 header with all options, and a TCP header */
#define REJECT_HOP_LIMIT 64

struct reject_v4 {
	struct iphdr ip;
	struct icmp_header icmp;
};

struct reject_v6 {
	struct ipv6hdr ip;
	struct icmp_header icmp;
};

static __always_inline __u16 fold_checksum(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline __u32 reject_l4_octets(const struct packet *p)
{
	switch (p->key.protocol) {
	case IPPROTO_TCP:
		return REJECT_TCP_OCTETS;
	case IPPROTO_SCTP:
		return packet_opens(p) ? REJECT_SCTP_INIT_OCTETS : REJECT_SCTP_OCTETS;
	default:
		return REJECT_UDP_OCTETS;
	}
}

/* Leaves the headers that go into the error, with room for `room` octets before them; sums them up. */
static __always_inline int reject_prepare(struct __sk_buff *skb, const struct packet *p, __u32 room, __u32 *inner_octets,
					  __s64 *sum)
{
	__u32 inner = p->l4_offset - p->l3_offset + reject_l4_octets(p);
	__u8 copy[REJECT_INNER_MAX] = {};

	/* In this order: the verifier of Linux 7.2 forgets the lower bound of a number that could still be negative. */
	if (inner > REJECT_INNER_MAX || inner < 28)
		return -1;
	if (p->l3_offset + inner > skb->len)
		return -1; /* an INIT that is cut: no stack would take it */
	if (bpf_skb_change_tail(skb, p->l3_offset + inner, 0))
		return -1;
	if (bpf_skb_load_bytes(skb, p->l3_offset, copy, inner))
		return -1;
	*sum = bpf_csum_diff(NULL, 0, (__be32 *)copy, sizeof(copy), 0);
	*inner_octets = inner;
	if (*sum < 0)
		return -1;
	return bpf_skb_adjust_room(skb, room, BPF_ADJ_ROOM_MAC, 0);
}

static __always_inline int reject_write_v4(struct __sk_buff *skb, const struct packet *p)
{
	struct reject_v4 header = {};
	__u32 inner;
	__s64 sum;

	if (reject_prepare(skb, p, sizeof(header), &inner, &sum))
		return -1;
	header.ip.version = 4;
	header.ip.ihl = 5;
	header.ip.tot_len = bpf_htons(sizeof(header) + inner);
	header.ip.ttl = REJECT_HOP_LIMIT;
	header.ip.protocol = IPPROTO_ICMP;
	header.ip.saddr = p->key.destination.word[3];
	header.ip.daddr = p->key.source.word[3];
	header.ip.check = fold_checksum(bpf_csum_diff(NULL, 0, (__be32 *)&header.ip, sizeof(header.ip), 0));
	header.icmp.type = ICMP_V4_UNREACHABLE;
	header.icmp.code = ICMP_V4_UNREACHABLE_PORT;
	header.icmp.checksum = fold_checksum(bpf_csum_diff(NULL, 0, (__be32 *)&header.icmp, sizeof(header.icmp), sum));
	return bpf_skb_store_bytes(skb, p->l3_offset, &header, sizeof(header), 0);
}

/* RFC 8200 section 8.1: the sum covers addresses, length and next header too. */
static __always_inline int reject_write_v6(struct __sk_buff *skb, const struct packet *p)
{
	struct reject_v6 header = {};
	__be32 pseudo[2];
	__u32 inner;
	__s64 sum;

	if (reject_prepare(skb, p, sizeof(header), &inner, &sum))
		return -1;
	header.ip.version = 6;
	header.ip.payload_len = bpf_htons(sizeof(header.icmp) + inner);
	header.ip.nexthdr = IPPROTO_ICMPV6;
	header.ip.hop_limit = REJECT_HOP_LIMIT;
	__builtin_memcpy(&header.ip.saddr, &p->key.destination, 16);
	__builtin_memcpy(&header.ip.daddr, &p->key.source, 16);
	header.icmp.type = ICMP_V6_UNREACHABLE;
	header.icmp.code = ICMP_V6_UNREACHABLE_PORT;
	pseudo[0] = bpf_htonl(sizeof(header.icmp) + inner);
	pseudo[1] = bpf_htonl(IPPROTO_ICMPV6);
	sum = bpf_csum_diff(NULL, 0, pseudo, sizeof(pseudo), sum);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&header.ip.saddr, 32, sum);
	sum = bpf_csum_diff(NULL, 0, (__be32 *)&header.icmp, sizeof(header.icmp), sum);
	header.icmp.checksum = fold_checksum(sum);
	return bpf_skb_store_bytes(skb, p->l3_offset, &header, sizeof(header), 0);
}

/* Back to the sender's MAC address. Layer 3 devices have none. */
static __always_inline int reject_turn_around(struct __sk_buff *skb, __u16 l2_length)
{
	__u8 mac[12];
	__u8 turned[12];

	if (l2_length != ETH_HLEN)
		return 0;
	if (bpf_skb_load_bytes(skb, 0, mac, sizeof(mac)))
		return -1;
	__builtin_memcpy(turned, mac + 6, 6);
	__builtin_memcpy(turned + 6, mac, 6);
	return bpf_skb_store_bytes(skb, 0, turned, sizeof(turned), 0);
}

/* Sends the refusal out of the device the packet came in by. `service_id` is zero where no Service has the port. The hook's verdict. */
static __noinline int reject(struct __sk_buff *skb, const struct packet *p, __u32 service_id)
{
	int error;

	if (p->fragment == PACKET_LATER_FRAGMENT) {
		/* The first was answered; RFC 1122 section 3.2.2 wants no other. */
		refuse(p, skb->ifindex, LB_DROP_FRAGMENT, service_id);
		return TCX_DROP;
	}
	if (service_id)
		stats_reject(service_id);

	if (cfg_rejects_per_second && !rate_allows(LB_REJECT_SENT, 1000000000ULL, cfg_rejects_per_second)) {
		refuse(p, skb->ifindex, LB_DROP_REJECT_LIMITED, service_id);
		return TCX_DROP;
	}
	error = p->is_v4 ? reject_write_v4(skb, p) : reject_write_v6(skb, p);
	if (error || reject_turn_around(skb, p->l3_offset)) {
		refuse(p, skb->ifindex, LB_DROP_REWRITE_FAILED, service_id);
		return TCX_DROP;
	}
	count(LB_REJECT_SENT);
	event_rejected(p, skb->ifindex, service_id);
	return bpf_redirect(skb->ifindex, 0);
}
