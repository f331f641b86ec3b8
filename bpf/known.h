/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Does somebody else know this packet's flow: netfilter's conntrack, or a socket of this node? (rule 7, SNAT port checks) */
#pragma once

#include "packet.h"

struct nf_conn {
	unsigned long status;
} __attribute__((preserve_access_index));

/* Twelve octets: the size every kernel since 5.18 takes. */
struct bpf_ct_opts___local {
	__s32 netns_id;
	__s32 error;
	__u8 l4proto;
	__u8 dir;
	__u8 reserved[2];
};

extern struct nf_conn *bpf_skb_ct_lookup(struct __sk_buff *skb, struct bpf_sock_tuple *tuple, __u32 tuple_size,
					 struct bpf_ct_opts___local *options, __u32 options_size) __ksym __weak;
extern void bpf_ct_release(struct nf_conn *connection) __ksym __weak;

static __always_inline __u32 known_tuple(const struct lb_flow_key *key, bool is_v4, struct bpf_sock_tuple *tuple)
{
	if (is_v4) {
		tuple->ipv4.saddr = key->source.word[3];
		tuple->ipv4.daddr = key->destination.word[3];
		tuple->ipv4.sport = key->source_port;
		tuple->ipv4.dport = key->destination_port;
		return sizeof(tuple->ipv4);
	}
	__builtin_memcpy(tuple->ipv6.saddr, key->source.word, 16);
	__builtin_memcpy(tuple->ipv6.daddr, key->destination.word, 16);
	tuple->ipv6.sport = key->source_port;
	tuple->ipv6.dport = key->destination_port;
	return sizeof(tuple->ipv6);
}

#define CT_DIRECTION_REPLY 1   /* IP_CT_DIR_REPLY */
#define CT_STATUS_SEEN_REPLY 2 /* IPS_SEEN_REPLY */

enum known {
	KNOWN_NOT = 0,
	KNOWN_UNANSWERED = 1, /* a request that nobody has answered: packets that came before their Service did */
	KNOWN_ANSWERED = 2,   /* a reply, or a request of a flow with replies */
};

static __noinline int known_to_conntrack(struct __sk_buff *skb, const struct lb_flow_key *key, bool is_v4)
{
	struct bpf_ct_opts___local options = { .netns_id = BPF_F_CURRENT_NETNS, .l4proto = key->protocol };
	struct bpf_sock_tuple tuple = {};
	struct nf_conn *connection;
	bool is_answered;

	/*
	 * The type that came with the two calls and lives in their module: known when the object is loaded. bpf_ksym_exists() would
	 * ask for the calls themselves, but kernels before 6.4 refuse any program that takes the address of a kfunc.
	 */
	if (!bpf_core_type_exists(struct bpf_ct_opts___local))
		return KNOWN_NOT;
	if (key->protocol == IPPROTO_SCTP)
		return KNOWN_NOT; /* conntrack itself knows SCTP, but its kfunc answers for TCP and UDP only */
	/* Two calls, because the verifier wants a constant size. */
	known_tuple(key, is_v4, &tuple);
	if (is_v4)
		connection = bpf_skb_ct_lookup(skb, &tuple, sizeof(tuple.ipv4), &options, sizeof(options));
	else
		connection = bpf_skb_ct_lookup(skb, &tuple, sizeof(tuple.ipv6), &options, sizeof(options));
	if (!connection)
		return KNOWN_NOT;
	is_answered = options.dir == CT_DIRECTION_REPLY || connection->status & CT_STATUS_SEEN_REPLY;
	bpf_ct_release(connection);
	return is_answered ? KNOWN_ANSWERED : KNOWN_UNANSWERED;
}

/* A socket that would take this packet: connected, or listening on its destination. */
static __noinline int known_to_socket(struct __sk_buff *skb, const struct lb_flow_key *key, bool is_v4)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *sock;

	if (key->protocol == IPPROTO_SCTP)
		return 0; /* no helper looks them up */
	known_tuple(key, is_v4, &tuple);
	if (key->protocol == IPPROTO_TCP)
		sock = bpf_skc_lookup_tcp(skb, &tuple, is_v4 ? sizeof(tuple.ipv4) : sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
	else
		sock = bpf_sk_lookup_udp(skb, &tuple, is_v4 ? sizeof(tuple.ipv4) : sizeof(tuple.ipv6), BPF_F_CURRENT_NETNS, 0);
	if (!sock)
		return 0;
	bpf_sk_release(sock);
	return 1;
}
