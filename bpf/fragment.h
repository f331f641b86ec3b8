/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Fragments after the first have no ports: the first leaves them here for the others. Both hooks do so, because conntrack reassembles and
 * the stack fragments again in between (rule 10). One that comes before its first is put aside by held_fragment.h.
 */
#pragma once

#include "flow.h"
#include "held_fragment.h"
#include "maps.h"
#include "packet.h"
#include "prefix.h"

enum fragment_result {
	FRAGMENT_KNOWN = 0,  /* `p` has the ports, and its flow is looked for as for any packet */
	FRAGMENT_OTHERS = 1, /* of nobody's datagram, as far as can be told */
	FRAGMENT_TAKEN = 2,  /* put aside, or back into the queue: this packet ends here */
	FRAGMENT_LOST = 3,   /* to a Service alone, and cannot be put aside */
};

static __always_inline bool fragment_has_ports(const struct packet *p)
{
	return p->key.protocol == IPPROTO_TCP || p->key.protocol == IPPROTO_UDP || p->key.protocol == IPPROTO_SCTP;
}

static __always_inline void fragment_key(const struct packet *p, struct lb_fragment_key *key)
{
	key->source = p->key.source;
	key->destination = p->key.destination;
	key->id = p->fragment_id;
	key->protocol = p->is_v4 ? p->key.protocol : 0;
	key->direction = p->key.direction;
	key->pad = 0;
}

static __always_inline bool fragment_is_old(const struct lb_fragment *row, __u64 now_ns)
{
	__u64 last_seen_ns = row->last_seen_ns;

	return now_ns > last_seen_ns && now_ns - last_seen_ns > cfg_fragment_pause_ns;
}

/*
 * enum lb_address_flag of where this fragment goes on its way in; 0: to no address of ours, or on its way out. An address of a ServiceCIDR that
 * no Service has counts as a ClusterIP, for its datagrams end here too.
 */
static __noinline __u32 fragment_address_flags(const struct packet *p)
{
	union lb_addr destination = p->key.destination;
	struct lb_address *row;

	if (p->key.direction != LB_IN)
		return 0;
	row = bpf_map_lookup_elem(&addresses, &destination);
	if (row)
		return row->flags;
	return address_is_in_service_cidr(&destination) ? LB_ADDRESS_CLUSTER_IP : 0;
}

/* A first fragment. Its ports are noted where they may be asked for: on the way to an address of ours, or of a flow. */
static __noinline int fragment_first(struct __sk_buff *skb, const struct packet *p)
{
	struct lb_fragment_key key;
	struct lb_fragment *row, noted = {};
	__u32 held = 0;

	if (!fragment_address_flags(p) && !bpf_map_lookup_elem(&flows, &p->key))
		return FRAGMENT_KNOWN;
	fragment_key(p, &key);
	row = bpf_map_lookup_elem(&fragments, &key);
	if (row && !row->protocol)
		held = row->held;
	noted.last_seen_ns = bpf_ktime_get_coarse_ns();
	noted.source_port = p->key.source_port;
	noted.destination_port = p->key.destination_port;
	noted.protocol = p->key.protocol;
	bpf_map_update_elem(&fragments, &key, &noted, BPF_ANY);
	return held && held_release(skb, p, &key, held) ? FRAGMENT_TAKEN : FRAGMENT_KNOWN;
}

/* Fills in what the first fragment said; false when it has not come. */
static __always_inline bool fragment_ports(struct packet *p, struct lb_fragment *row, __u64 now_ns)
{
	if (!row || !row->protocol || fragment_is_old(row, now_ns))
		return false;
	p->key.source_port = row->source_port;
	p->key.destination_port = row->destination_port;
	p->key.protocol = row->protocol;
	row->last_seen_ns = now_ns;
	return true;
}

/*
 * Puts a fragment aside for its first, which may come meanwhile on another CPU: so after it was put there the row is read again, and
 * who takes it out of the ring goes on with it.
 */
static __noinline int fragment_hold(struct __sk_buff *skb, struct packet *p)
{
	struct lb_fragment_key key;
	struct lb_fragment *row, unknown = {};
	__u32 held;

	fragment_key(p, &key);
	unknown.last_seen_ns = bpf_ktime_get_coarse_ns();
	row = bpf_map_lookup_elem(&fragments, &key);
	if (!row)
		bpf_map_update_elem(&fragments, &key, &unknown, BPF_NOEXIST);
	else if (fragment_is_old(row, unknown.last_seen_ns))
		bpf_map_update_elem(&fragments, &key, &unknown, BPF_ANY);
	row = bpf_map_lookup_elem(&fragments, &key);
	if (!row)
		return FRAGMENT_LOST;
	held = held_put(skb, p, &key, row);
	if (!held)
		return FRAGMENT_LOST;
	row = bpf_map_lookup_elem(&fragments, &key);
	if (row && row->protocol && held_take_back(held))
		return fragment_ports(p, row, unknown.last_seen_ns) ? FRAGMENT_KNOWN : FRAGMENT_LOST;
	return FRAGMENT_TAKEN;
}

/* enum fragment_result. `is_ours`: it is addressed to this host, or to the bridge whose port it came in by. */
static __noinline int fragment_read(struct __sk_buff *skb, struct packet *p, bool is_ours)
{
	struct lb_fragment_key key;
	__u32 address_flags;
	int result;

	if (p->fragment == PACKET_FIRST_FRAGMENT)
		return fragment_first(skb, p);
	fragment_key(p, &key);
	if (fragment_ports(p, bpf_map_lookup_elem(&fragments, &key), bpf_ktime_get_coarse_ns()))
		return FRAGMENT_KNOWN;
	address_flags = fragment_address_flags(p);
	if (!address_flags || !is_ours || !fragment_has_ports(p))
		return FRAGMENT_OTHERS;
	result = fragment_hold(skb, p);
	/* To an address of the node it may be for the node itself. */
	return result == FRAGMENT_LOST && address_flags & LB_ADDRESS_NODE ? FRAGMENT_OTHERS : result;
}

/*
 * A first fragment that is too short for its ports (no stack makes them; RFC 1858, RFC 7112). To the node it passes, and the rest of its
 * datagram with it. False: it is to a Service alone, which would be asked for without any translation.
 */
static __noinline int fragment_without_ports(struct __sk_buff *skb, const struct packet *p)
{
	__u32 address_flags = fragment_address_flags(p);

	if (address_flags && !(address_flags & LB_ADDRESS_NODE))
		return FRAGMENT_LOST;
	return fragment_first(skb, p);
}
