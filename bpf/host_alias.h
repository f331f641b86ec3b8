/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The node's own addresses on the host's port. A packet with a local source must not come out of a device (rule 8), so each address
 * of the node has an alias there, one for one: what enters turnout1 comes from the alias, and what is for the alias goes to turnout1.
 */
#pragma once

#include "maps.h"

/* The alias of an address, or the address of an alias. False, and `other` untouched, when there is none. */
static __noinline int host_alias(const union lb_addr *address, union lb_addr *other)
{
	union lb_addr key, *found;

	if (!address || !other)
		return false;
	key = *address;
	found = bpf_map_lookup_elem(&host_aliases, &key);
	if (!found)
		return false;
	*other = *found;
	return true;
}
