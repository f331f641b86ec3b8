/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Configuration variables: set by user space after open and before load, constants to the verifier. */
#pragma once

#include "lb.h"

#define LB_CONFIG(type, name, text) const volatile type name __attribute__((btf_decl_tag("doc:" text)))

LB_CONFIG(__u64, cfg_host_netns_cookie,
	  "cookie of the node's network namespace (SO_NETNS_COOKIE); sockets in it are the host's") = 0;
LB_CONFIG(enum lb_socket_path, cfg_socket_path, "which sockets are translated at connect()") = LB_SOCKET_PATH_TCP;
LB_CONFIG(__u8, cfg_excludes_cgroups, "excluded_cgroups is looked at: some cgroups may be left to the packet path") = 0;
LB_CONFIG(enum lb_detector, cfg_detector_v4, "how a packet of a local pod is recognised, IPv4") = LB_DETECTOR_NONE;
LB_CONFIG(enum lb_detector, cfg_detector_v6, "how a packet of a local pod is recognised, IPv6") = LB_DETECTOR_NONE;
LB_CONFIG(union lb_addr, cfg_pod_cidr_v4, "network address of the IPv4 pod range") = {};
LB_CONFIG(union lb_addr, cfg_pod_cidr_v6, "network address of the IPv6 pod range") = {};
LB_CONFIG(union lb_addr, cfg_pod_mask_v4, "its netmask; the leading 96 bits are ones") = {};
LB_CONFIG(union lb_addr, cfg_pod_mask_v6, "its netmask") = {};
LB_CONFIG(__u8, cfg_masquerade_all, "masquerade everything sent to ClusterIPs") = 0;
LB_CONFIG(__u8, cfg_localhost_node_ports_v4, "serve node ports on 127.0.0.0/8 to processes of the host") = 1;
LB_CONFIG(__u8, cfg_localhost_node_ports_v6, "serve node ports on ::1 to processes of the host") = 1;
LB_CONFIG(__u32, cfg_masquerade_mark, "packet mark that says: masqueraded Service traffic") = 0x4000;
LB_CONFIG(__u16, cfg_snat_port_min, "first source port given to masqueraded flows, host order") = 10240;
LB_CONFIG(__u16, cfg_snat_port_max, "last source port given to masqueraded flows, host order") = 29999;
LB_CONFIG(__u32, cfg_flow_states, "rows of flow_states") = 131072;
LB_CONFIG(__u8, cfg_flow_counters, "count packets and octets of each flow") = 1;
LB_CONFIG(__u32, cfg_rejects_per_second, "ICMP unreachables per second and CPU; 0: no limit") = 1000;
LB_CONFIG(__u64, cfg_tcp_syn_ns, "idle time of a TCP flow whose handshake is not done") = 60000000000ULL;
LB_CONFIG(__u64, cfg_tcp_established_ns, "idle time of an established TCP flow") = 86400000000000ULL;
LB_CONFIG(__u64, cfg_tcp_close_wait_ns, "idle time of a TCP flow that one side has closed") = 3600000000000ULL;
LB_CONFIG(__u64, cfg_tcp_closed_ns, "idle time of a TCP flow after FIN of both sides or RST") = 10000000000ULL;
LB_CONFIG(__u64, cfg_udp_unreplied_ns, "idle time of a UDP flow without a reply") = 30000000000ULL;
LB_CONFIG(__u64, cfg_udp_stream_ns, "idle time of a UDP flow with a reply") = 120000000000ULL;
LB_CONFIG(__u64, cfg_sctp_init_ns, "idle time of an SCTP flow whose handshake is not done") = 30000000000ULL;
LB_CONFIG(__u64, cfg_sctp_established_ns, "idle time of an established SCTP flow; heartbeats come more often") = 210000000000ULL;
LB_CONFIG(__u64, cfg_sctp_closed_ns, "idle time of an SCTP flow after ABORT or SHUTDOWN COMPLETE") = 10000000000ULL;
LB_CONFIG(__u64, cfg_fragment_pause_ns,
	  "longest pause between two fragments of one datagram; a busy sender uses an id again soon") = 2000000000ULL;
LB_CONFIG(__u64, cfg_fragment_held_ns, "how long a fragment is kept for its datagram's first") = 1000000000ULL;

/* Not configuration: BTF keeps only types that something has, and user space needs these, which are in no map. */
struct lb_exported {
	struct lb_event event;
	struct lb_expire expire;
	struct lb_explain_socket explain_socket;
	enum lb_socket_verdict socket_verdict;
	enum lb_frontend_flag frontend_flag;
	enum lb_backend_flag backend_flag;
	enum lb_backend_list backend_list;
	enum lb_address_flag address_flag;
	enum lb_device_flag device_flag;
	enum lb_direction direction;
	enum lb_rewrite_flag rewrite_flag;
	enum lb_flow_flag flow_flag;
	enum lb_held_state held_state;
	enum lb_counter counter;
	enum lb_event_kind event_kind;
};
const volatile struct lb_exported exported = {};
