/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Everything that crosses between the kernel and user space: map rows, enums and configuration variables.
 * This is the only place where a layout is written. `make gen` reads the compiled object's BTF and writes
 * src/datapath/layout.gen.ts from it; `make check` fails when the two differ.
 *
 * What the generator refuses, so do not write it: implicit padding (name it `pad`), bit-fields, anonymous members,
 * pointers, `long`. Byte order lives in the type: __be16/__be32 are network order, __u* is host order, addresses are octets.
 */
#pragma once

#include <linux/types.h>
#include <bpf/bpf_helpers.h>

/*
 * An IPv6 address, or an IPv4 address as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2). One form for both families halves the
 * code, and makes IPv4-mapped sockets (an AF_INET6 socket talking IPv4) the same case as any other.
 * User space sees `octet` only; the wider views are for the programs.
 */
union lb_addr {
	__u8 octet[16];
	__be32 word[4];
};

/* ---- Services ------------------------------------------------------------------------------------------------ */

enum lb_frontend_flag {
	LB_FRONTEND_EXTERNAL = 1,       /* external IP, load-balancer IP or node port; otherwise a ClusterIP */
	LB_FRONTEND_LOCAL_ONLY = 2,     /* the traffic policy that governs this frontend is Local */
	LB_FRONTEND_HAS_ENDPOINTS = 4,  /* some endpoint exists somewhere: an empty list means drop, not reject */
	LB_FRONTEND_NODE_PORT = 8,      /* row of the node-port table: address is the family's zero address */
	LB_FRONTEND_AFFINITY = 16,      /* sessionAffinity ClientIP: the socket path leaves it to the packet path */
	LB_FRONTEND_HAS_LOCAL = 32,     /* some endpoint is on this node: a pod's connection may come back to the pod */
	LB_FRONTEND_SOURCE_RANGES = 64, /* load-balancer IP: only sources that source_ranges has for this Service */
};

/* address is zero (:: or ::ffff:0.0.0.0) for a node port: it is served on every row of addresses that allows it. */
struct lb_frontend_key {
	union lb_addr address;
	__be16 port;
	__u8 protocol;
	__u8 pad;
};

/* A list of backends: rows base..base+count of `backends`. 64 bits, aligned, so that it is read and written at once. */
struct lb_extent {
	__u32 base;
	__u32 count;
} __attribute__((aligned(8)));

struct lb_frontend {
	struct lb_extent cluster; /* endpoints under Cluster policy */
	struct lb_extent local;   /* endpoints on this node; used under LB_FRONTEND_LOCAL_ONLY */
	struct lb_extent
		lingering; /* endpoints that nothing new goes to and that still serve; for the controller's restart only */
	__u32 service_id;
	__u32 flags;            /* enum lb_frontend_flag */
	__u32 affinity_seconds; /* idle time after which a client may be given another endpoint; 0: no affinity */
	__u32 generation;       /* counts the publications of this row, for people */
};

enum lb_backend_flag {
	LB_BACKEND_LOCAL = 1, /* the endpoint's node is this node */
};

/*
 * service_id is the tag by which a reader knows that the extent it holds still belongs to its Service: a row of a
 * preallocated hash is reused at once, so a frontend value may change under a reader. Zero: the row is free.
 */
struct lb_backend {
	union lb_addr address;
	__be16 port;
	__u16 flags; /* enum lb_backend_flag */
	__u32 service_id;
	__u32 backend_id; /* row of backend_states */
	__u32 generation; /* what backend_states held when this row was written */
};

enum lb_backend_list {
	LB_LIST_CLUSTER = 1, /* chosen under Cluster policy */
	LB_LIST_LOCAL = 2,   /* chosen under Local policy */
};

/* What is true of an endpoint now, whatever lists were written when. One store of 64 bits changes both. */
struct lb_backend_state {
	__u32 generation; /* raised when the endpoint has left: who holds another one holds a stranger */
	__u32 lists;      /* enum lb_backend_list: which lists of its unit have it; none: it serves old UDP flows only */
};

/* Who talks to which unit. Its client is zero for the node itself, whose source address is not known at connect(). */
struct lb_affinity_key {
	__u32 service_id; /* one for all frontends of a unit, so ClusterIP, node port and VIPs share a row */
	union lb_addr client;
};

struct lb_affinity {
	__u64 last_used_ns; /* CLOCK_MONOTONIC: when a connection was last given this endpoint */
	struct lb_backend backend;
};

/* Longest prefix match: service id and address count as one string of bits. prefix_length includes the id's 32. */
struct lb_source_range_key {
	__u32 prefix_length;
	__u32 service_id;
	union lb_addr address;
};

struct lb_service_cidr_key {
	__u32 prefix_length; /* of the 128 bits of an address */
	union lb_addr address;
};

/* Names for people, so that `turnout services` can be read from the pinned maps alone. NUL-terminated UTF-8. */
struct lb_service_name {
	char namespace_name[64];
	char name[64];
	char port_name[64];
};

/*
 * What happened to a Service (by service id) or an endpoint (by backend id). Counts only grow. Packets and octets are added when a flow
 * ends; those of flows that live stand in lb_flow_state, so that no packet pays for a second row: who wants totals adds them up.
 * Sockets that connect() translated have connections, but their packets meet no program.
 */
struct lb_stats {
	__u64 connections;     /* flows and connect() calls that were given a backend */
	__u64 rejects;         /* refused because there is no endpoint; of Services only */
	__u64 drops;           /* packets dropped after their Service was known, for any reason; of Services only */
	__u64 sockets_open;    /* translated by connect() and not closed; of endpoints only, and not monotonic */
	__u64 request_packets; /* a GSO packet counts as its segments */
	__u64 request_bytes;   /* octets from the IP header on, a GSO packet's as one */
	__u64 reply_packets;
	__u64 reply_bytes;
};

/* ---- Node ---------------------------------------------------------------------------------------------------- */

enum lb_address_flag {
	LB_ADDRESS_NODE = 1,       /* an address of this node */
	LB_ADDRESS_NODE_PORT = 2,  /* and node ports are served on it */
	LB_ADDRESS_CLUSTER_IP = 4, /* the ClusterIP of some Service: a port that no frontend has is rejected */
	LB_ADDRESS_EXTERNAL = 8,   /* an external or load-balancer IP of some Service: fragments wait for their first */
};

/* One row says everything about an address, so that a packet that is none of ours costs one lookup. */
struct lb_address {
	__u32 flags; /* enum lb_address_flag */
};

enum lb_device_flag {
	LB_DEVICE_BRIDGE_PORT = 1, /* mac is the bridge's: new flows start only from packets addressed to it */
	LB_DEVICE_POD = 2,         /* detectLocalMode by interface: what enters here comes from a local pod */
	LB_DEVICE_HOST = 4,        /* turnout1: what enters here comes from the node itself, its addresses as aliases */
	LB_DEVICE_HOST_END = 8,    /* turnout0: the node's own end, where addresses become aliases and back */
};

/* Key: ifindex (__u32). Sources are the preferred source addresses of packets that leave here; all zero: none. */
struct lb_device {
	union lb_addr source_v4;
	union lb_addr source_v6;
	__u8 mac[6];    /* the bridge's for a bridge port, else the device's own; zero on layer 3 devices */
	__u8 l2_length; /* octets before the IP header: 14 for Ethernet, 0 for tun, wireguard, ipip */
	__u8 flags;     /* enum lb_device_flag */
};

/* ---- Flows --------------------------------------------------------------------------------------------------- */

enum lb_direction {
	LB_IN = 0,  /* tc ingress: destinations are rewritten */
	LB_OUT = 1, /* tc egress: sources are rewritten */
};

/* The 5-tuple as seen at the hook of that direction, before this program's rewrite. */
struct lb_flow_key {
	union lb_addr source;
	union lb_addr destination;
	__be16 source_port;
	__be16 destination_port;
	__u8 protocol;
	__u8 direction; /* enum lb_direction */
	__u16 pad;
};

enum lb_rewrite_flag {
	LB_REWRITE_REPLY = 1,      /* this packet comes from the backend */
	LB_REWRITE_PENDING = 2,    /* source address and port are chosen at the first egress (rule 3) */
	LB_REWRITE_STEER = 4,      /* same-bridge reply: only the destination MAC changes, to the bridge's (rule 2) */
	LB_REWRITE_MASQUERADE = 8, /* set the masquerade mark at ingress so that FORWARD lets it pass (rule 11) */
};

/* What to write into a packet of a flow: one address (destination at ingress, source at egress) and both ports. */
struct lb_rewrite {
	union lb_addr address;
	__be16 source_port;
	__be16 destination_port;
	__u32 flow_id; /* row of flow_states */
	__u32 claim;   /* must equal the row's claim, else this entry is a leftover and counts as absent */
	__u32 flags;   /* enum lb_rewrite_flag */
};

enum lb_flow_flag {
	LB_FLOW_REPLIED = 1,     /* a packet of the backend was seen */
	LB_FLOW_ESTABLISHED = 2, /* the client went on after the backend's first packet */
	LB_FLOW_CLIENT_FIN = 4,
	LB_FLOW_BACKEND_FIN = 8,
	LB_FLOW_RESET = 16,        /* TCP: RST; SCTP: ABORT or SHUTDOWN COMPLETE */
	LB_FLOW_SNAT = 32,         /* source and source_port are set: four entries instead of two */
	LB_FLOW_STEERED = 64,      /* has a steering entry */
	LB_FLOW_MASQUERADE = 128,  /* wants a source of ours at its first egress */
	LB_FLOW_OWN_ADDRESS = 256, /* that source is the address behind the client's alias: kube-proxy would not masquerade */
	LB_FLOW_GUARD = 512,       /* no Service: a connection of the node whose port a flow of ours had taken (rule 6) */
	/* with LB_FLOW_RESET: it was the backend who said so last, not the client */
	LB_FLOW_BACKEND_RESET = 1024,
	LB_FLOW_RESOLVING = 2048, /* a packet was first to look for that source: no other one does so meanwhile */
};

/*
 * The life of a flow. Time stamps live here, not in the entries: a one-way UDP flow would otherwise lose its reverse
 * half while in use. What a packet of a known flow reads and writes fills the first 64 octets, one line of the cache; a row is
 * three lines, so none is shared by two flows. The addresses are enough to rebuild or delete each of its entries (flow_entry.h).
 */
struct lb_flow_state {
	__u64 last_seen_ns; /* CLOCK_MONOTONIC, coarse, refreshed at most once a second */
	__u32 claim; /* 0: free. Taken by compare-and-swap; random, so that what earlier flows of the row left does not match */
	__u32 flags; /* enum lb_flow_flag */
	__u32 service_id;
	__u32 backend_id;
	__u32 backend_generation; /* differs from backend_states once the endpoint has left: UDP then re-selects */
	__u32 pad;
	__u64 request_packets; /* as in lb_stats */
	__u64 request_bytes;
	__u64 reply_packets;
	__u64 reply_bytes;
	__u64 started_ns; /* CLOCK_MONOTONIC, coarse */
	union lb_addr client;
	union lb_addr frontend;
	union lb_addr backend;
	union lb_addr source; /* the node's address the backend sees; zero unless LB_FLOW_SNAT */
	__be16 client_port;
	__be16 frontend_port;
	__be16 backend_port;
	__be16 source_port;
	__be16 stack_port; /* client port between ingress and egress; differs from client_port after a collision (rule 5) */
	__u8 protocol;
	__u8 pad2[45];
} __attribute__((aligned(64)));

/* A fragmented datagram: what all of its fragments have in common. */
struct lb_fragment_key {
	union lb_addr source;
	union lb_addr destination;
	__be32 id;
	__u8 protocol;  /* 0 in IPv6, where it may stand behind headers that only the first fragment has */
	__u8 direction; /* enum lb_direction */
	__u16 pad;
};

/* What the first fragment says for those that follow without a layer 4 header (rule 10). */
struct lb_fragment {
	__u64 last_seen_ns; /* CLOCK_MONOTONIC, coarse: ids are used again */
	__u32 held;         /* row of held_fragments, plus 1, of the last that came before the first; 0: none */
	__be16 source_port;
	__be16 destination_port;
	__u8 protocol; /* 0: the first fragment has not come yet */
	__u8 pad[7];
};

enum {
	LB_HELD_FRAGMENTS = 512,
	LB_HELD_OCTETS = 1984, /* with the rest of the row 2 KiB; longer ones (jumbo frames) are not held */
};

enum lb_held_state {
	LB_HELD_FREE = 0,
	LB_HELD_BUSY = 1, /* being filled or emptied; nobody but its owner touches it */
	LB_HELD_READY = 2,
};

/* A copy of a fragment that came before its datagram's first one. */
struct lb_held_fragment {
	struct lb_fragment_key key;
	__u64 held_ns; /* CLOCK_MONOTONIC, coarse */
	__u32 state;   /* enum lb_held_state, by compare-and-swap */
	__u32 next;    /* row, plus 1, of the one of this datagram that was held before; 0: none */
	__u32 length;  /* octets from the IP header on */
	__u32 pad;
	__u8 octets[LB_HELD_OCTETS];
};

/* ---- Sockets ------------------------------------------------------------------------------------------------- */

/* What a socket asked for (frontend) and what it was given (backend), for getpeername() and recvmsg(). */
struct lb_sock_pair {
	union lb_addr frontend;
	union lb_addr backend;
	__be16 frontend_port;
	__be16 backend_port;
	__u32 backend_id;
	__u32 backend_generation; /* as of that moment: an endpoint that has left is not counted any more */
};

/* An unconnected UDP socket may talk to several Services; the oldest pair makes room. */
enum { LB_SOCK_PAIRS = 4 };

struct lb_sock_pairs {
	struct lb_sock_pair pair[LB_SOCK_PAIRS];
	__u32 next; /* index that is overwritten next */
};

/* What connect() gave a UDP socket of the host. Key: the socket's cookie (__u64). */
struct lb_udp_socket {
	union lb_addr backend;
	__be16 backend_port;
	__u16 pad;
	__u32 backend_id;
	__u32 backend_generation; /* no longer the backend's own once the endpoint has left: the controller then ends the socket */
};

/*
 * How far below the root of the cgroup hierarchy an excluded cgroup may lie. A pod's container is four or five levels deep, seven or
 * eight where the node is itself a container.
 */
enum { LB_CGROUP_LEVELS = 32 };

/* ---- Counters and events ------------------------------------------------------------------------------------- */

/* A row of `counters` each; the name in lower case without LB_ is the metric's name. Refusals start with LB_DROP_. */
enum lb_counter {
	LB_FLOW_NEW = 0,           /* flows created */
	LB_FLOW_EXPIRED,           /* flows removed by age */
	LB_FLOW_RESELECTED,        /* UDP flows moved because their backend left */
	LB_FLOW_EVICTED,           /* flows ended to make room: never one whose client went on after it was answered */
	LB_FLOW_REPAIRED,          /* entries that a flow had lost, made again */
	LB_FLOW_GUARDED,           /* connections of the node given another port because a flow of ours had theirs (rule 6) */
	LB_SNAT_ALLOCATED,         /* source ports given out */
	LB_SOCKET_TRANSLATED,      /* connect() and sendmsg() calls translated */
	LB_SOCKET_DECLINED,        /* left to the packet path because the packet is needed for exact semantics */
	LB_SOCKET_EXCLUDED,        /* left to the packet path because the process runs in an excluded cgroup */
	LB_SOCKET_REFUSED,         /* ECONNREFUSED because there is no endpoint */
	LB_REJECT_SENT,            /* ICMP port unreachable sent: no endpoint, or no such port of a ClusterIP */
	LB_ICMP_TRANSLATED,        /* ICMP errors about our flows, brought to the other end's view */
	LB_FRAGMENT_HELD,          /* fragments that came before their datagram's first, and were put aside */
	LB_FRAGMENT_RELEASED,      /* of those: put back into the queue when the first came */
	LB_DROP_REJECT_LIMITED,    /* would have been rejected, over the rate limit */
	LB_DROP_NO_LOCAL_ENDPOINT, /* Local policy, endpoints only on other nodes */
	LB_DROP_SOURCE_RANGE,      /* to a load-balancer IP, from outside of loadBalancerSourceRanges */
	LB_DROP_UNALLOCATED,       /* to an address of a ServiceCIDR that no Service has */
	LB_DROP_NO_FLOW,           /* TCP without SYN, SCTP without INIT, or to our SNAT range: nobody knows it (rule 7) */
	LB_DROP_FLOWS_FULL,        /* no free row in flow_states or flows */
	LB_DROP_PORT_COLLISION,    /* no free client port for a second flow to one backend (rule 5) */
	LB_DROP_SNAT_EXHAUSTED,    /* no free source port after all probes */
	LB_DROP_SNAT_RACED,        /* two first packets of one flow at once; the second is sent again by its client */
	LB_DROP_NO_SOURCE,         /* the device has no address of this family to masquerade with */
	LB_DROP_STALE_LIST,        /* the backend list changed twice while it was read */
	LB_DROP_REWRITE_FAILED,    /* the kernel refused to change the packet; an SCTP fragment needs other ports */
	LB_DROP_FRAGMENT,          /* a fragment to a Service without a first one that has ports, or of what is refused */
	LB_DROP_ICMP_REDIRECT,     /* an ICMP redirect about a translated flow (rule 4) */
	LB_DROP_NO_ALIAS,  /* on the host's port: an address of the node without an alias, or an alias without an address */
	LB_DROP_HOST_PORT, /* on the host's port: no flow and no Service, and an alias must not leave the node */
	LB_COUNTER_MAX,
};

/* A window of one second (rejects) or ten milliseconds (events), by enum lb_counter and CPU; LB_COUNTER_MAX: of all that is monitored. */
struct lb_rate {
	__u64 window_ns; /* start of the window, CLOCK_MONOTONIC */
	__u32 used;      /* in this window */
	__u32 pad;
};

enum lb_event_kind {
	LB_EVENT_REFUSED = 0,  /* dropped; reason says why */
	LB_EVENT_REJECTED = 1, /* answered by ICMP port unreachable, or ECONNREFUSED */
	LB_EVENT_FLOW_NEW = 2, /* a first packet was given a backend */
	LB_EVENT_SOCKET = 3,   /* a connect() was given a backend; source is what the socket was bound to, or zero */
};

/* One record of a ring buffer. Addresses and ports as the packet came in. */
struct lb_event {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	union lb_addr source;
	union lb_addr destination;
	union lb_addr backend; /* zero where none was chosen */
	__be16 source_port;
	__be16 destination_port;
	__be16 backend_port;
	__u8 protocol;
	__u8 direction;   /* enum lb_direction */
	__u32 ifindex;    /* zero for sockets */
	__u32 reason;     /* enum lb_counter */
	__u32 kind;       /* enum lb_event_kind */
	__u32 service_id; /* zero where none was known */
};

/* What `turnout monitor` wants to see. It writes the row each second, so that a monitor that was killed soon costs nothing. */
struct lb_monitor {
	__u64 until_ns; /* CLOCK_MONOTONIC; later, nobody looks */
	__u64 missed;   /* events that were over the limit of 10,000 a second and CPU, or found the ring full */
	__u32 kinds;    /* bits: 1 << enum lb_event_kind */
	__u32 pad;
};

/* ---- The expiry program's argument ---------------------------------------------------------------------------- */

/* flow_expire looks at rows first..first+count of flow_states and answers in the rest. */
struct lb_expire {
	__u32 first;
	__u32 count;
	__u32 in_use;  /* answer: rows still taken */
	__u32 expired; /* answer: flows removed */
};

/* ---- The argument of explain_socket ----------------------------------------------------------------------------- */

enum lb_socket_verdict {
	LB_SOCKET_NOT_OURS = 0,    /* no Service, or nothing that the socket path takes */
	LB_SOCKET_GIVEN = 1,       /* connect() gives it `backend` */
	LB_SOCKET_TURNED_AWAY = 2, /* ECONNREFUSED */
	LB_SOCKET_LEFT = 3,        /* a Service, but left to the packet path: declined, or dropped there */
};

/* A call to connect() as `turnout explain` imagines it, and what would become of it. */
struct lb_explain_socket {
	union lb_addr destination;
	union lb_addr bound; /* zero: not bound to an address */
	__be16 port;
	__u8 protocol;
	__u8 is_host;              /* a process in the node's network namespace */
	__u32 verdict;             /* answer: enum lb_socket_verdict */
	struct lb_backend backend; /* answer, with LB_SOCKET_GIVEN */
	__u32 service_id;          /* answer; zero: no Service */
	__u32 flags;               /* answer: enum lb_frontend_flag */
};

/* ---- Configuration: read-only once loaded, so the verifier removes what is switched off --------------------------- */

enum lb_socket_path {
	LB_SOCKET_PATH_OFF = 0,
	LB_SOCKET_PATH_TCP = 1, /* pods: TCP; host network: TCP and UDP */
	LB_SOCKET_PATH_ALL = 2, /* pods and host network: TCP and UDP */
};

enum lb_detector {
	LB_DETECTOR_NONE = 0,   /* no packet is known to come from a local pod */
	LB_DETECTOR_CIDR = 1,   /* source address inside cfg_pod_cidr_* */
	LB_DETECTOR_DEVICE = 2, /* LB_DEVICE_POD of the device it enters by */
};
