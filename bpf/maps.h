/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Every map, with a sentence: what a row means, who writes it. Sizes are defaults; user space sets them before load. */
#pragma once

#include "lb.h"

/* A Service address and port, or a node port. Written by the controller, read by every path. Preallocated for locality. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, struct lb_frontend_key);
	__type(value, struct lb_frontend);
} frontends SEC(".maps");

/* All backend lists, one after the other; a list never changes in place. Written by the controller through mmap. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 262144);
	__type(key, __u32);
	__type(value, struct lb_backend);
} backends SEC(".maps");

/* Each endpoint by its id. Written by the controller through mmap: once it has left, UDP flows re-select and affinity ends. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 262144);
	__type(key, __u32);
	__type(value, struct lb_backend_state);
} backend_states SEC(".maps");

/* sessionAffinity ClientIP: the endpoint each client was last given. Written by the programs; LRU, because a client that
 * has to make room for others is given a new endpoint, and nothing worse. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct lb_affinity_key);
	__type(value, struct lb_affinity);
} affinity SEC(".maps");

/* loadBalancerSourceRanges; a match allows. Written by the controller, read for frontends with LB_FRONTEND_SOURCE_RANGES. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct lb_source_range_key);
	__type(value, __u32);
} source_ranges SEC(".maps");

/* ServiceCIDRs of the cluster: an address inside that no Service has leads nowhere. Written by the controller. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1024);
	__type(key, struct lb_service_cidr_key);
	__type(value, __u32);
} service_cidrs SEC(".maps");

/* Service id to names, for people only. Written by the controller. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct lb_service_name);
} service_names SEC(".maps");

/* Addresses of this node, from rtnetlink, and ClusterIPs. Written by the controller. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, union lb_addr);
	__type(value, struct lb_address);
} addresses SEC(".maps");

/* Every device we are attached to, by ifindex. Written by the controller from rtnetlink before it attaches. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct lb_device);
} devices SEC(".maps");

/*
 * An address of this node to its alias on the host's port, and the alias to the address. Written by the controller from
 * rtnetlink; read where packets enter and leave that port, and where such a flow is to leave the node by its own address.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, union lb_addr);
	__type(value, union lb_addr);
} host_aliases SEC(".maps");

/* Rewrite entries, two to five for each flow. Written by the programs only. No LRU: whole flows go, never halves (rule 7). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 524288);
	__type(key, struct lb_flow_key);
	__type(value, struct lb_rewrite);
} flows SEC(".maps");

/* The life of each flow, by flow id. Rows are claimed by the programs and freed by flow_expire. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 131072);
	__type(key, __u32);
	__type(value, struct lb_flow_state);
} flow_states SEC(".maps");

/*
 * Fragmented datagrams under way that may be a Service's. Written by the programs; LRU, because a datagram lives for milliseconds. The
 * datagrams of others make no row, so they push none of ours out.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct lb_fragment_key);
	__type(value, struct lb_fragment);
} fragments SEC(".maps");

/* Fragments that wait for their first, in a ring: the oldest makes room. Written by the programs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LB_HELD_FRAGMENTS);
	__type(key, __u32);
	__type(value, struct lb_held_fragment);
} held_fragments SEC(".maps");

/* The place in that ring: how many were put there since the start. Written by the programs. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} held_next SEC(".maps");

/*
 * Ids of cgroups whose processes, and those of every cgroup below, are left to the packet path. Written by the controller before the
 * programs are attached, and as cgroups come and go. The value says nothing.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u32);
} excluded_cgroups SEC(".maps");

/* Connected sockets: what they asked for. Lives and dies with the socket. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct lb_sock_pair);
} sock_peer SEC(".maps");

/*
 * Connected UDP sockets of the host that were translated. Written by connect(), removed at the socket's end (sock_release), read by the
 * controller when backends leave: the kernel shows it the storage above for TCP only. A socket that finds no room is not ended then.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct lb_udp_socket);
} udp_sockets SEC(".maps");

/* Unconnected UDP sockets: the last Services they sent to. Lives and dies with the socket. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct lb_sock_pairs);
} sock_peers SEC(".maps");

/* What happened, by enum lb_counter. Written by the programs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LB_COUNTER_MAX);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/*
 * What happened to each Service, by service id. Written by the programs, by atomic additions, once or twice in the life of a flow: rows for
 * each CPU would be 64 octets times Services times CPUs. Zeroed by the controller when an id is given away again.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct lb_stats);
} service_stats SEC(".maps");

/* The same for each endpoint, by backend id. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 262144);
	__type(key, __u32);
	__type(value, struct lb_stats);
} backend_stats SEC(".maps");

/* One row, written by `turnout monitor`: what goes to `monitored`. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lb_monitor);
} monitor SEC(".maps");

/* What `turnout monitor` asked for. Its reader is that command alone: a ring buffer has one reader. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1048576);
} monitored SEC(".maps");

/* Refusals with their packet, at most one each 10 ms and CPU for each reason. Read by the controller. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 262144);
} events SEC(".maps");

/* Rate limits of rejects and events, by enum lb_counter. Written by the programs. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, LB_COUNTER_MAX + 1);
	__type(key, __u32);
	__type(value, struct lb_rate);
} rate_limits SEC(".maps");
