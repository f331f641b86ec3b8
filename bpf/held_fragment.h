/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Fragments that come before their datagram's first one. A program cannot keep a packet, so it keeps a copy; when the first comes, that one
 * goes back to the end of the device's queue and the copies behind it, and all of them come in once more, in an order that tells the ports.
 * Each copy is made and emitted once, so a datagram goes round no more than once whatever its fragments are.
 */
#pragma once

#include "count.h"
#include "maps.h"
#include "packet.h"

#define HELD_PER_SECOND 20000 /* for each CPU: less than a percent of it, at 0.4 us each */
#define HELD_OF_A_DATAGRAM 48 /* 64 KiB in packets of 1,500 octets */

static __always_inline bool held_own(struct lb_held_fragment *held, __u32 state)
{
	return __sync_bool_compare_and_swap(&held->state, state, LB_HELD_BUSY);
}

static __always_inline void held_leave(struct lb_held_fragment *held, __u32 state)
{
	__sync_lock_test_and_set(&held->state, state);
}

static __always_inline bool held_key_equal(const struct lb_fragment_key *a, const struct lb_fragment_key *b)
{
	return a->id == b->id && a->protocol == b->protocol && a->direction == b->direction &&
	       lb_addr_equal(&a->source, &b->source) && lb_addr_equal(&a->destination, &b->destination);
}

/* The oldest row of the ring, owned; NULL while somebody else is busy with it. */
static __always_inline struct lb_held_fragment *held_claim(__u32 *number)
{
	struct lb_held_fragment *held;
	__u32 only = 0, row, state;
	__u32 *next = bpf_map_lookup_elem(&held_next, &only);

	if (!next)
		return NULL;
	row = __sync_fetch_and_add(next, 1) % LB_HELD_FRAGMENTS;
	held = bpf_map_lookup_elem(&held_fragments, &row);
	if (!held)
		return NULL;
	state = held->state;
	if (state == LB_HELD_BUSY || !held_own(held, state))
		return NULL;
	if (state == LB_HELD_READY)
		count(LB_DROP_FRAGMENT); /* its first never came */
	*number = row + 1;
	return held;
}

/* Two comparisons, one after the other: made into one of a difference, as compilers do, they tell the verifier of Linux 6.1 nothing. */
static __always_inline bool held_length_fits(__u32 *length)
{
	if (*length > LB_HELD_OCTETS)
		return false;
	barrier_var(*length);
	return *length >= sizeof(struct iphdr);
}

/* Copies this fragment and links it to the others of its datagram. The row, plus 1; 0: there was no room. */
static __noinline __u32 held_put(struct __sk_buff *skb, const struct packet *p, const struct lb_fragment_key *key,
				 struct lb_fragment *fragment)
{
	__u32 length = skb->len - p->l3_offset, number, before;
	struct lb_held_fragment *held;

	if (!held_length_fits(&length))
		return 0;
	if (!fragment || !rate_allows(LB_FRAGMENT_HELD, 1000000000ULL, HELD_PER_SECOND))
		return 0;
	held = held_claim(&number);
	if (!held)
		return 0;
	if (bpf_skb_load_bytes(skb, p->l3_offset, held->octets, length)) {
		held_leave(held, LB_HELD_FREE);
		return 0;
	}
	before = fragment->held;
	held->key = *key;
	held->held_ns = bpf_ktime_get_coarse_ns();
	held->length = length;
	held->next = before;
	held_leave(held, LB_HELD_READY);
	if (!__sync_bool_compare_and_swap(&fragment->held, before, number)) {
		if (held_own(held, LB_HELD_READY))
			held_leave(held, LB_HELD_FREE);
		return 0;
	}
	count(LB_FRAGMENT_HELD);
	return number;
}

/* True when the copy was still there: the caller goes on with the fragment itself. */
static __always_inline bool held_take_back(__u32 number)
{
	__u32 row = number - 1;
	struct lb_held_fragment *held = bpf_map_lookup_elem(&held_fragments, &row);

	if (!held || !held_own(held, LB_HELD_READY))
		return false;
	held_leave(held, LB_HELD_FREE);
	count(LB_FRAGMENT_RELEASED);
	return true;
}

/* Makes `skb` the fragment of this row and sends a copy to the end of the queue. */
static __noinline int held_emit(struct __sk_buff *skb, __u32 l3_offset, struct lb_held_fragment *held)
{
	__u32 length;

	if (!held)
		return -1;
	length = held->length;
	if (!held_length_fits(&length))
		return -1;
	/* What a device has verified of the first says nothing about this one. */
	bpf_csum_level(skb, BPF_CSUM_LEVEL_RESET);
	if (bpf_skb_change_tail(skb, l3_offset + length, 0) ||
	    bpf_skb_store_bytes(skb, l3_offset, held->octets, length, BPF_F_RECOMPUTE_CSUM) ||
	    bpf_clone_redirect(skb, skb->ifindex, BPF_F_INGRESS))
		return -1;
	count(LB_FRAGMENT_RELEASED);
	return 0;
}

struct held_walk {
	struct __sk_buff *skb; /* the first fragment, then what it was made into */
	const struct packet *p;
	const struct lb_fragment_key *key;
	__u64 now_ns;
	__u32 number;     /* row, plus 1, of the next; 0: no more */
	bool is_requeued; /* the first is in the queue */
};

/* One step: 1 ends the walk. */
static long held_step(__u64 index, struct held_walk *walk)
{
	__u32 row = walk->number - 1, next;
	struct lb_held_fragment *held;

	if (!walk->number)
		return 1;
	held = bpf_map_lookup_elem(&held_fragments, &row);
	if (!held || !held_own(held, LB_HELD_READY))
		return 1;
	/* Another datagram's: what was there made room. */
	if (!held_key_equal(&held->key, walk->key) || walk->now_ns - held->held_ns > cfg_fragment_held_ns)
		goto others;
	if (!walk->is_requeued && bpf_clone_redirect(walk->skb, walk->skb->ifindex, BPF_F_INGRESS))
		goto others;
	walk->is_requeued = true;
	if (held_emit(walk->skb, walk->p->l3_offset, held))
		count(LB_DROP_FRAGMENT);
	next = held->next;
	held_leave(held, LB_HELD_FREE);
	walk->number = next;
	return 0;
others:
	held_leave(held, LB_HELD_READY);
	return 1;
}

/* `skb` is the first fragment, `number` the last that came before it. True when there were any: then `skb` is in the queue too. */
static __noinline int held_release(struct __sk_buff *skb, const struct packet *p, const struct lb_fragment_key *key, __u32 number)
{
	struct held_walk walk = { .skb = skb, .p = p, .key = key, .number = number, .now_ns = bpf_ktime_get_coarse_ns() };

	bpf_loop(HELD_OF_A_DATAGRAM, held_step, &walk, 0);
	return walk.is_requeued;
}
