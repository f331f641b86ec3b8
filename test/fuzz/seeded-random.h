/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Put in front of bpf/datapath.bpf.c for `make fuzz` (mk/fuzz.mk): the programs' random numbers come from a state that user space
 * writes, so that the same seed leads to the same backends, ports and rows, and any packet can be sent again. All else is as shipped.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

__u32 fuzz_random_state;

/* Bob Jenkins' one-at-a-time step over a counter: good enough to spread rows and ports. */
static __always_inline __u32 fuzz_random(void)
{
	__u32 x = fuzz_random_state += 0x9e3779b9;

	x = (x ^ x >> 16) * 0x85ebca6b;
	x = (x ^ x >> 13) * 0xc2b2ae35;
	return x ^ x >> 16;
}

#define bpf_get_prandom_u32 fuzz_random
