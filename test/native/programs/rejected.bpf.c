// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* The verifier must refuse this: the packet is read without a look at its end. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tcx/ingress") int reads_beyond(struct __sk_buff *skb)
{
	return *(char *)(long)skb->data;
}

char _license[] SEC("license") = "GPL";
