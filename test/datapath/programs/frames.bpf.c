/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The two hooks on packets that BPF_PROG_TEST_RUN cannot make: with a VLAN tag beside the octets, as a device hands on a tagged frame, and
 * to this host though there is no Ethernet header that says so.
 */
#include <linux/bpf.h>
#include <linux/types.h>

#include <linux/errno.h>
#include <linux/if_packet.h>
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* Some of what the headers have is for other hooks. */
#pragma clang diagnostic ignored "-Wunused-function"

/* A function in a section of its own is a program, which cannot be called. */
#pragma push_macro("SEC")
#include "../../../bpf/flow.h"
#include "../../../bpf/icmp.h"
#include "../../../bpf/new_flow.h"
#include "../../../bpf/reject.h"
#include "../../../bpf/snat.h"
#undef SEC
#define SEC(name)
#include "../../../bpf/hook_tc.h"
#pragma pop_macro("SEC")
#include "../../../bpf/expire.h" /* asks flow_release() for its answer: a compiler that drops it makes code that the verifier refuses */

#define VLAN 5

SEC("tcx/ingress") int tagged_ingress(struct __sk_buff *skb)
{
	bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), VLAN);
	return tc_ingress(skb);
}

SEC("tcx/egress") int tagged_egress(struct __sk_buff *skb)
{
	bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), VLAN);
	return tc_egress(skb);
}

SEC("tcx/ingress") int host_bound_ingress(struct __sk_buff *skb)
{
	bpf_skb_change_type(skb, PACKET_HOST);
	return tc_ingress(skb);
}

SEC("tcx/egress") int host_bound_egress(struct __sk_buff *skb)
{
	bpf_skb_change_type(skb, PACKET_HOST);
	return tc_egress(skb);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
