/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * From octets to a 5-tuple. Works on plain pointers, so that tc and XDP share it: the caller makes the octets linear.
 */
#pragma once

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include "address.h"

#define IP_FLAG_MORE_FRAGMENTS 0x2000
#define IP_FRAGMENT_OFFSET 0x1fff
#define IPV6_FRAGMENT_OFFSET 0xfff8
#define IPV6_MORE_FRAGMENTS 0x0001
#define IPV6_EXTENSION_HEADERS_MAX 4

#define TCP_FLAG_FIN_BIT 0x01
#define TCP_FLAG_SYN_BIT 0x02
#define TCP_FLAG_RST_BIT 0x04
#define TCP_FLAG_ACK_BIT 0x10

/* Chunk types of RFC 9260 section 3.2 that begin or end an association. Each is the first chunk of its packet, or the only one. */
enum sctp_chunk_type {
	SCTP_INIT = 1,
	SCTP_INIT_ACK = 2,
	SCTP_ABORT = 6,
	SCTP_SHUTDOWN_COMPLETE = 14,
};

/* RFC 9260 section 3: the common header. */
struct sctp_header {
	__be16 source;
	__be16 destination;
	__be32 tag;
	__be32 checksum; /* CRC32c, lowest octet first; zero: none yet, see nat.h */
};

/* What each chunk begins with. There is no packet without a chunk. */
struct sctp_chunk {
	__u8 type; /* enum sctp_chunk_type, or another one */
	__u8 flags;
	__be16 length;
};

/* One header for ICMP (RFC 792) and ICMPv6 (RFC 4443). Not from linux/icmp.h, which drags in user-space headers. */
struct icmp_header {
	__u8 type;
	__u8 code;
	__u16 checksum;
	__be32 rest;
};

enum icmp_number {
	ICMP_V4_UNREACHABLE = 3,
	ICMP_V4_UNREACHABLE_PORT = 3,
	ICMP_V4_REDIRECT = 5,
	ICMP_V6_UNREACHABLE = 1,
	ICMP_V6_UNREACHABLE_PORT = 4,
	ICMP_V6_REDIRECT = 137, /* RFC 4861 section 4.5 */
};

enum packet_fragment {
	PACKET_WHOLE = 0,
	PACKET_FIRST_FRAGMENT = 1,
	PACKET_LATER_FRAGMENT = 2, /* no layer 4 header: ports are zero until the fragment table gives them */
};

enum parse_result {
	PARSE_OK = 0,    /* TCP, UDP, SCTP or ICMP: key and offsets are set */
	PARSE_OTHER = 1, /* not for us */
	PARSE_SHORT = 2, /* the linear part ends too early */
	PARSE_CHUNK =
		3, /* SCTP whose first chunk is not in the linear part: all is set but sctp_chunk, and nothing may be pulled in */
};

struct packet {
	struct lb_flow_key key; /* direction is the caller's */
	__be32 fragment_id;
	__u16 l3_offset; /* octets from the start of data */
	__u16 l4_offset;
	__u8 is_v4;
	__u8 fragment; /* enum packet_fragment */
	__u8 tcp_flags;
	__u8 sctp_chunk; /* type of the first chunk */
};

struct ports {
	__be16 source;
	__be16 destination;
};

/*
 * Is this the first packet that a client sends, or the same once more? TCP: SYN. SCTP: INIT, which comes alone. Datagrams are all alike.
 * A fragment that is not the first has neither flags nor chunk, so it begins no connection.
 */
static __always_inline bool packet_opens(const struct packet *p)
{
	switch (p->key.protocol) {
	case IPPROTO_TCP:
		return (p->tcp_flags & (TCP_FLAG_SYN_BIT | TCP_FLAG_ACK_BIT)) == TCP_FLAG_SYN_BIT;
	case IPPROTO_SCTP:
		return p->sctp_chunk == SCTP_INIT;
	default:
		return true;
	}
}

/* The backend's answer to the first packet: a SYN with ACK, or INIT ACK. Datagrams have none. */
static __always_inline bool packet_accepts(const struct packet *p)
{
	__u8 both = TCP_FLAG_SYN_BIT | TCP_FLAG_ACK_BIT;

	if (p->key.protocol == IPPROTO_TCP)
		return (p->tcp_flags & both) == both;
	return p->key.protocol == IPPROTO_SCTP && p->sctp_chunk == SCTP_INIT_ACK;
}

/* Reads ports and flags at l4_offset. ICMP has no ports: type and code are read by icmp.h. */
static __always_inline enum parse_result parse_l4(void *data, void *data_end, struct packet *p)
{
	struct tcphdr *tcp = data + p->l4_offset;
	struct sctp_header *sctp = data + p->l4_offset;
	struct sctp_chunk *chunk = (void *)(sctp + 1);
	enum parse_result result = PARSE_OK;
	struct ports *ports = data + p->l4_offset;

	switch (p->key.protocol) {
	case IPPROTO_TCP:
		if (p->fragment == PACKET_LATER_FRAGMENT)
			return PARSE_OK;
		if ((void *)(tcp + 1) > data_end)
			return PARSE_SHORT;
		p->tcp_flags = ((__u8 *)tcp)[13];
		break;
	case IPPROTO_UDP:
		if (p->fragment == PACKET_LATER_FRAGMENT)
			return PARSE_OK;
		if (data + p->l4_offset + sizeof(struct udphdr) > data_end)
			return PARSE_SHORT;
		break;
	case IPPROTO_SCTP:
		if (p->fragment == PACKET_LATER_FRAGMENT)
			return PARSE_OK;
		if ((void *)(sctp + 1) > data_end)
			return PARSE_SHORT;
		if ((void *)(chunk + 1) > data_end)
			result = PARSE_CHUNK;
		else
			p->sctp_chunk = chunk->type;
		break;
	case IPPROTO_ICMP:
		return p->is_v4 ? PARSE_OK : PARSE_OTHER;
	case IPPROTO_ICMPV6:
		return p->is_v4 ? PARSE_OTHER : PARSE_OK;
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
		/* Only the first fragment says what stands behind. */
		return p->fragment == PACKET_LATER_FRAGMENT && !p->is_v4 ? PARSE_OK : PARSE_OTHER;
	default:
		return PARSE_OTHER;
	}
	p->key.source_port = ports->source;
	p->key.destination_port = ports->destination;
	return result;
}

static __always_inline enum parse_result parse_v4(void *data, void *data_end, struct packet *p)
{
	struct iphdr *ip = data + p->l3_offset;
	__u16 fragment;

	if ((void *)(ip + 1) > data_end)
		return PARSE_SHORT;
	if (ip->version != 4 || ip->ihl < 5)
		return PARSE_OTHER;
	p->is_v4 = 1;
	lb_addr_set_v4(&p->key.source, ip->saddr);
	lb_addr_set_v4(&p->key.destination, ip->daddr);
	p->key.protocol = ip->protocol;
	p->l4_offset = p->l3_offset + ip->ihl * 4;
	fragment = bpf_ntohs(ip->frag_off);
	if (fragment & IP_FRAGMENT_OFFSET)
		p->fragment = PACKET_LATER_FRAGMENT;
	else if (fragment & IP_FLAG_MORE_FRAGMENTS)
		p->fragment = PACKET_FIRST_FRAGMENT;
	p->fragment_id = (__be32)ip->id;
	return parse_l4(data, data_end, p);
}

struct ipv6_extension {
	__u8 next;
	__u8 length; /* in units of 8 octets, not counting the first 8 */
};

struct ipv6_fragment {
	__u8 next;
	__u8 reserved;
	__be16 offset;
	__be32 id;
};

static __always_inline bool ipv6_is_extension(__u8 next)
{
	return next == IPPROTO_FRAGMENT || next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS;
}

static __always_inline enum parse_result parse_v6(void *data, void *data_end, struct packet *p)
{
	struct ipv6hdr *ip = data + p->l3_offset;
	__u32 offset = p->l3_offset + sizeof(*ip);
	__u8 next;

	if ((void *)(ip + 1) > data_end)
		return PARSE_SHORT;
	if (ip->version != 6)
		return PARSE_OTHER;
	lb_addr_set_v6(&p->key.source, ip->saddr.in6_u.u6_addr32);
	lb_addr_set_v6(&p->key.destination, ip->daddr.in6_u.u6_addr32);
	next = ip->nexthdr;
	for (int i = 0; i < IPV6_EXTENSION_HEADERS_MAX; i++) {
		struct ipv6_extension *extension;
		struct ipv6_fragment *fragment;

		if (offset > 512) /* a bound for the verifier; longer chains are nobody's Service traffic */
			return PARSE_OTHER;
		if (next == IPPROTO_FRAGMENT) {
			fragment = data + offset;
			if ((void *)(fragment + 1) > data_end)
				return PARSE_SHORT;
			if (fragment->offset & bpf_htons(IPV6_FRAGMENT_OFFSET))
				p->fragment = PACKET_LATER_FRAGMENT;
			else if (fragment->offset & bpf_htons(IPV6_MORE_FRAGMENTS))
				p->fragment = PACKET_FIRST_FRAGMENT;
			p->fragment_id = fragment->id;
			next = fragment->next;
			offset += sizeof(*fragment);
			if (p->fragment == PACKET_LATER_FRAGMENT)
				break; /* what follows is no header, whatever the first fragment begins with */
		} else if (ipv6_is_extension(next)) {
			extension = data + offset;
			if ((void *)(extension + 1) > data_end)
				return PARSE_SHORT;
			next = extension->next;
			offset += 8 + extension->length * 8;
		} else {
			break;
		}
	}
	if (offset > 512)
		return PARSE_OTHER;
	p->key.protocol = next;
	p->l4_offset = offset;
	return parse_l4(data, data_end, p);
}

static __always_inline bool packet_is_multicast(const struct packet *p)
{
	return p->is_v4 ? (p->key.destination.octet[12] & 0xf0) == 0xe0 : p->key.destination.octet[0] == 0xff;
}

/* ethertype: of the network header at l3_offset, network order. */
static __always_inline enum parse_result parse_packet(void *data, void *data_end, __u16 l3_offset, __be16 ethertype,
						      struct packet *p)
{
	__builtin_memset(p, 0, sizeof(*p));
	p->l3_offset = l3_offset;
	if (ethertype == bpf_htons(ETH_P_IP))
		return parse_v4(data, data_end, p);
	if (ethertype == bpf_htons(ETH_P_IPV6))
		return parse_v6(data, data_end, p);
	return PARSE_OTHER;
}
