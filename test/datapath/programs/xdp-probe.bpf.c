/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Parsing and lookup in an XDP program: they are to stay free of struct __sk_buff, so that a second hook can share them. */
#include <linux/bpf.h>
#include <linux/types.h>

#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "../../../bpf/packet.h"
#include "../../../bpf/lookup.h"

/* The backend that a packet's Service chooses goes into its destination: to be seen by the test. */
SEC("xdp") int probe(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	struct lb_choice choice = {};
	struct lb_frontend *frontend;
	struct ethhdr *ethernet = data;
	__u32 address_flags;
	struct packet p;

	if ((void *)(ethernet + 1) > data_end)
		return XDP_PASS;
	if (parse_packet(data, data_end, sizeof(*ethernet), ethernet->h_proto, &p) != PARSE_OK)
		return XDP_PASS;
	frontend = frontend_find(&p.key.destination, p.key.destination_port, p.key.protocol, false, &address_flags);
	if (!frontend)
		return XDP_PASS;
	if (frontend_choose(frontend, LB_ORIGIN_EXTERNAL, LB_DETECTOR_NONE, &p.key.source, 0, &choice) != LB_TRANSLATE)
		return XDP_DROP;
	__builtin_memcpy(ethernet->h_source, &choice.backend.address.octet[12], 4);
	__builtin_memcpy(ethernet->h_source + 4, &choice.backend.port, 2);
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
