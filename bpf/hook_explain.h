/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * For `turnout explain`: what would connect() be given? Programs at cgroup hooks cannot be run on trial, so this one asks the functions
 * they decide with. Never loaded where packets flow: explain loads it beside tables of its own. A tc program, because syscall
 * programs may sleep, and such may not look into a trie.
 */
#pragma once

#include "socket_decide.h"

/*
 * The packet is 14 octets and a struct lb_explain_socket, question and answer. What depends on the process and its network namespace,
 * exclusion and hairpin, is not asked: neither is known here.
 */
SEC("?tc") int explain_socket(struct __sk_buff *skb)
{
	struct lb_explain_socket asked = {};
	struct lb_choice choice = {};
	struct lb_frontend *frontend;
	struct socket_call call = {};

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &asked, sizeof(asked)))
		return TCX_DROP;
	call.destination = asked.destination;
	call.bound = asked.bound;
	call.port = asked.port;
	call.protocol = asked.protocol;
	call.is_host = asked.is_host;
	frontend = socket_frontend(&call);
	asked.verdict = LB_SOCKET_NOT_OURS;
	if (frontend) {
		asked.service_id = frontend->service_id;
		asked.flags = frontend->flags;
		switch (socket_choose(frontend, &call, bpf_get_prandom_u32(), &choice)) {
		case LB_TRANSLATE:
			asked.verdict = LB_SOCKET_GIVEN;
			asked.backend = choice.backend;
			break;
		case LB_REJECT:
			asked.verdict = LB_SOCKET_TURNED_AWAY;
			break;
		default:
			asked.verdict = LB_SOCKET_LEFT;
		}
	}
	return bpf_skb_store_bytes(skb, ETH_HLEN, &asked, sizeof(asked), 0) ? TCX_DROP : TCX_NEXT;
}
