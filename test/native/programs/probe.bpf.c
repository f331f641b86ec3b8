// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Something of everything that native/ touches. Compiled by the tests. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define DOC(text) __attribute__((btf_decl_tag("doc:" text)))

enum color { COLOR_RED = 1, COLOR_BLUE = 7 };

union address {
	__u8 octet[16];
	__be32 word[4];
};

struct row {
	union address address;
	__be16 port DOC("network order");
	__u16 pad;
	enum color color;
	__s64 balance;
};

struct odd_row {
	__u8 octet[12];
};

struct unused_in_maps {
	__u8 low : 3;
	__u8 high : 5;
};

const volatile __u32 verdict DOC("what the tc programs return") = 3;
const volatile union address origin = {};
__u64 written = 0;
struct unused_in_maps kept = {};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct row);
} rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2);
	__uint(map_flags, BPF_F_ZERO_SEED);
	__type(key, __u32);
	__type(value, __u32);
} tiny SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1000);
	__type(key, __u32);
	__type(value, struct odd_row);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} per_cpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u32);
} without_batch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} records SEC(".maps");

static __always_inline void record(__u32 text)
{
	bpf_ringbuf_output(&records, &text, sizeof(text), 0);
}

SEC("tcx/ingress") int seen_a(struct __sk_buff *skb)
{
	__u32 row = 2;
	struct odd_row *slot = bpf_map_lookup_elem(&slots, &row);

	if (slot)
		slot->octet[0]++;
	skb->mark = 42;
	record('a');
	return verdict;
}

SEC("tcx/ingress") int seen_b(struct __sk_buff *skb)
{
	record('b');
	return verdict;
}

SEC("xdp") int pass(struct xdp_md *xdp)
{
	record('x');
	return XDP_PASS;
}

/* Replies with one octet more than it got. */
SEC("xdp") int grow(struct xdp_md *xdp)
{
	return bpf_xdp_adjust_tail(xdp, 1) ? XDP_ABORTED : XDP_TX;
}

SEC("cgroup/connect4") int refuse_connect(struct bpf_sock_addr *address)
{
	record('c');
	return address->user_port == bpf_htons(9) ? 0 : 1;
}

SEC("cgroup/connect4") int allow_connect(struct bpf_sock_addr *address)
{
	return 1;
}

struct sum {
	__u32 a;
	__u32 b;
	__u32 result;
};

SEC("syscall") int add(struct sum *sum)
{
	sum->result = sum->a + sum->b;
	written = bpf_ktime_get_ns();
	return 7;
}

/* n records 0..n-1 */
SEC("syscall") int emit(struct sum *sum)
{
	__u32 i;

	for (i = 0; i < 4096 && i < sum->a; i++)
		record(i);
	return 0;
}

char _license[] SEC("license") = "GPL";
