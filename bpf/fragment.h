/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Fragments after the first have no ports. The first leaves them here for the others; one that comes too early passes
 * untouched (rule 10: both hooks track, because conntrack reassembles and the stack fragments again in between).
 */
#pragma once

#include "maps.h"
#include "packet.h"

/* False when the ports of this fragment are not known. */
static __noinline int fragment_ports(struct packet *p)
{
	struct lb_fragment_key key = {
		.source = p->key.source,
		.destination = p->key.destination,
		.id = p->fragment_id,
		.protocol = p->key.protocol,
		.direction = p->key.direction,
	};
	struct lb_fragment *known, ports;

	if (p->fragment == PACKET_FIRST_FRAGMENT) {
		ports.source_port = p->key.source_port;
		ports.destination_port = p->key.destination_port;
		bpf_map_update_elem(&fragments, &key, &ports, BPF_ANY);
		return true;
	}
	known = bpf_map_lookup_elem(&fragments, &key);
	if (!known)
		return false;
	p->key.source_port = known->source_port;
	p->key.destination_port = known->destination_port;
	return true;
}
