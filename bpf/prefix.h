/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Questions about an address that are answered by its longest prefix. */
#pragma once

#include "maps.h"

/* loadBalancerSourceRanges: IPv4 ranges are ranges of mapped addresses, so both families share one trie. */
static __noinline int source_is_allowed(__u32 service_id, const union lb_addr *source)
{
	struct lb_source_range_key key = { .prefix_length = 32 + 128, .service_id = service_id };

	if (!source)
		return false;
	key.address = *source;
	return bpf_map_lookup_elem(&source_ranges, &key) != NULL;
}

static __noinline int address_is_in_service_cidr(const union lb_addr *address)
{
	struct lb_service_cidr_key key = { .prefix_length = 128 };

	if (!address)
		return false;
	key.address = *address;
	return bpf_map_lookup_elem(&service_cidrs, &key) != NULL;
}
