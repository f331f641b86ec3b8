/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The two programs on every device. Destinations are translated on the way in, sources on the way out; the stack in
 * between sees only real endpoints. Whatever is not surely ours passes on to the next program (rule 9).
 */
#pragma once

#include "flow.h"
#include "fragment.h"
#include "guard.h"
#include "host_alias.h"
#include "icmp.h"
#include "known.h"
#include "nat.h"
#include "new_flow.h"
#include "prefix.h"
#include "reject.h"
#include "snat.h"

#define PULL_OCTETS 128 /* enough for Ethernet, IPv6, two extension headers and TCP */

/*
 * The kernel's own SCTP sends several packets as one (GSO): common header in the linear part, behind it a list with the chunks of one packet
 * each. Octets pulled from there would be missing in that packet, so the chunk is looked at where it is.
 */
static __always_inline int packet_read_chunk(struct __sk_buff *skb, struct packet *p)
{
	struct sctp_chunk chunk;

	if (bpf_skb_load_bytes(skb, p->l4_offset + sizeof(struct sctp_header), &chunk, sizeof(chunk)))
		return false;
	p->sctp_chunk = chunk.type;
	return true;
}

/* Fills `p`; false when the packet is none of our business. Headers outside the linear part are pulled in once. */
static __noinline int packet_read(struct __sk_buff *skb, const struct lb_device *dev, struct packet *p)
{
	enum parse_result result;
	__u32 octets = PULL_OCTETS;

	result = parse_packet((void *)(long)skb->data, (void *)(long)skb->data_end, dev->l2_length, skb->protocol, p);
	if (result == PARSE_SHORT) {
		if (skb->len < octets)
			octets = skb->len;
		if (bpf_skb_pull_data(skb, octets))
			return false;
		result = parse_packet((void *)(long)skb->data, (void *)(long)skb->data_end, dev->l2_length, skb->protocol, p);
	}
	return result == PARSE_OK || (result == PARSE_CHUNK && packet_read_chunk(skb, p));
}

/* `service_id` is zero where no Service is known yet. */
static __always_inline int drop(struct __sk_buff *skb, const struct packet *p, enum lb_counter reason, __u32 service_id)
{
	refuse(p, skb->ifindex, reason, service_id);
	return TCX_DROP;
}

/* Rule 1: on a bridge port only what is addressed to the bridge itself; elsewhere only what is addressed to this host. */
static __noinline int packet_is_ours(struct __sk_buff *skb, const struct lb_device *dev)
{
	__u8 mac[6];

	if (!(dev->flags & LB_DEVICE_BRIDGE_PORT))
		return skb->pkt_type == PACKET_HOST;
	if (bpf_skb_load_bytes(skb, 0, mac, sizeof(mac)))
		return false;
	for (int i = 0; i < 6; i++)
		if (mac[i] != dev->mac[i])
			return false;
	return true;
}

static __always_inline int ingress_rewrite(struct __sk_buff *skb, const struct packet *p, const struct flow *flow)
{
	if (nat_rewrite(skb, p, &flow->rewrite))
		return drop(skb, p, LB_DROP_REWRITE_FAILED, flow->state->service_id);
	if (flow->rewrite.flags & LB_REWRITE_MASQUERADE)
		skb->mark |= cfg_masquerade_mark;
	return TCX_NEXT;
}

/*
 * The client's packet of a flow that should not go on: one that opens a connection where the last is closed or idle, or UDP whose backend
 * has left. Connections whose backend has left go on for as long as it lives.
 */
static __always_inline bool flow_starts_anew(const struct flow *flow, const struct packet *p)
{
	const struct lb_flow_state *s = flow->state;
	__u64 now_ns;

	if (flow->rewrite.flags & LB_REWRITE_REPLY)
		return false;
	if (p->key.protocol != IPPROTO_UDP) {
		if (!packet_opens(p))
			return false;
		return flow_is_closed(s->flags) || flow_is_expired(s, bpf_ktime_get_coarse_ns());
	}
	if (!backend_is_current(s->backend_id, s->backend_generation)) {
		count(LB_FLOW_RESELECTED);
		return true;
	}
	now_ns = bpf_ktime_get_coarse_ns();
	return now_ns - s->last_seen_ns > FLOW_TOUCH_NS && flow_is_expired(s, now_ns);
}

static __always_inline enum lb_detector packet_detector(const struct packet *p)
{
	return p->is_v4 ? cfg_detector_v4 : cfg_detector_v6;
}

/* Who sent this, by the address that people know: on the host's port the one behind the alias. */
static __always_inline void packet_client(const struct packet *p, const struct lb_device *dev, union lb_addr *client)
{
	*client = p->key.source;
	if (dev->flags & LB_DEVICE_HOST)
		host_alias(&p->key.source, client);
}

/* A process of the node that is bound to an address of the pod range (a bridge's) counts as a pod, as in kube-proxy. */
static __always_inline enum lb_origin packet_origin(const struct packet *p, const struct lb_device *dev,
						    const union lb_addr *client)
{
	enum lb_origin other = dev->flags & LB_DEVICE_HOST ? LB_ORIGIN_NODE : LB_ORIGIN_EXTERNAL;

	switch (packet_detector(p)) {
	case LB_DETECTOR_CIDR:
		if (p->is_v4 ? lb_addr_in_network(client, &cfg_pod_cidr_v4, &cfg_pod_mask_v4) :
			       lb_addr_in_network(client, &cfg_pod_cidr_v6, &cfg_pod_mask_v6))
			return LB_ORIGIN_POD;
		return other;
	case LB_DETECTOR_DEVICE:
		return dev->flags & LB_DEVICE_POD ? LB_ORIGIN_POD : other;
	default:
		return other;
	}
}

/*
 * None of our business: it goes on as it is. Not so on the host's port, where aliases stand for the node's addresses: what nobody
 * translates there would leave the node with an alias as its source, or come to the node from whoever sends to an alias.
 */
static __always_inline int leave(struct __sk_buff *skb, const struct lb_device *dev, const struct packet *p)
{
	if (!(dev->flags & LB_DEVICE_HOST))
		return TCX_NEXT;
	if (packet_is_multicast(p))
		return TCX_DROP; /* the devices' own reports of IPv6 groups */
	return drop(skb, p, LB_DROP_HOST_PORT, 0);
}

/* A fragment whose flow cannot be asked for. */
static __noinline int leave_fragment(struct __sk_buff *skb, const struct lb_device *dev, const struct packet *p, int result)
{
	switch (result) {
	case FRAGMENT_TAKEN:
		return TCX_DROP; /* it comes again */
	case FRAGMENT_LOST:
		return drop(skb, p, LB_DROP_FRAGMENT, 0);
	default:
		return leave(skb, dev, p);
	}
}

/* What cannot be read: none of our business, unless it is the first fragment of a datagram for us, cut before its ports. */
static __noinline int leave_unread(struct __sk_buff *skb, const struct lb_device *dev, struct packet *p)
{
	int result;

	if (dev->flags & LB_DEVICE_HOST)
		return TCX_DROP;
	p->key.direction = LB_IN;
	if (p->fragment != PACKET_FIRST_FRAGMENT || !fragment_has_ports(p) || !packet_is_ours(skb, dev))
		return TCX_NEXT;
	result = fragment_without_ports(skb, p);
	return leave_fragment(skb, dev, p, result == FRAGMENT_KNOWN ? FRAGMENT_OTHERS : result);
}

/* Rule 7: a packet to an address of ours and a port of the SNAT range that no flow of ours explains. */
static __noinline int ingress_to_node(struct __sk_buff *skb, const struct packet *p)
{
	__u16 port = bpf_ntohs(p->key.destination_port);

	if (port < cfg_snat_port_min || port > cfg_snat_port_max)
		return TCX_NEXT;
	/*
	 * Whether an association of the host explains this one cannot be asked (known.h), and SCTP takes any local port: the stack knows, and
	 * answers with ABORT what it does not know.
	 */
	if (p->key.protocol == IPPROTO_SCTP)
		return TCX_NEXT;
	/* A listener of the host in that range, and connections of the host and of netfilter, are none of our business. */
	if (known_to_socket(skb, &p->key, p->is_v4) || known_to_conntrack(skb, &p->key, p->is_v4))
		return TCX_NEXT;
	if (p->key.protocol == IPPROTO_TCP && packet_opens(p))
		return TCX_NEXT; /* a new connection nobody listens for: the host's answer is the right one */
	return drop(skb, p, LB_DROP_NO_FLOW, 0);
}

/*
 * No Service has this address and port. A ClusterIP leads nowhere but to its ports, and an address of a ServiceCIDR nowhere at
 * all, so both end here rather than at the default route. What netfilter knows is a flow of a kube-proxy before us.
 */
static __noinline int ingress_without_frontend(struct __sk_buff *skb, const struct packet *p, __u32 address_flags)
{
	if (address_flags & LB_ADDRESS_NODE)
		return ingress_to_node(skb, p);
	if (address_flags & LB_ADDRESS_CLUSTER_IP)
		return known_to_conntrack(skb, &p->key, p->is_v4) == KNOWN_ANSWERED ? TCX_NEXT : reject(skb, p, 0);
	if (!packet_opens(p) || !address_is_in_service_cidr(&p->key.destination) ||
	    known_to_conntrack(skb, &p->key, p->is_v4) == KNOWN_ANSWERED)
		return TCX_NEXT;
	return drop(skb, p, LB_DROP_UNALLOCATED, 0);
}

/* Where the packet goes, and as whose. A function of its own, as what it needs must not lie below new_flow() on the stack. enum lb_verdict. */
static __noinline int ingress_choose(const struct lb_device *dev, const struct packet *p, const struct lb_frontend *frontend,
				     struct lb_choice *choice)
{
	union lb_addr client;
	int verdict;

	if (!frontend || !choice)
		return LB_PASS;
	packet_client(p, dev, &client);
	if (frontend->flags & LB_FRONTEND_SOURCE_RANGES && !source_is_allowed(frontend->service_id, &client))
		return LB_SHUT_OUT;
	verdict = frontend_choose(frontend, packet_origin(p, dev, &client), packet_detector(p), &client, bpf_get_prandom_u32(),
				  choice);
	if (verdict != LB_TRANSLATE)
		return verdict;
	if (dev->flags & LB_DEVICE_HOST && !choice->masquerade) {
		/* An alias means nothing outside this node, so there is always another source. */
		choice->masquerade = true;
		choice->own_address = true;
	}
	if (lb_addr_equal(&choice->backend.address, &p->key.source))
		choice->masquerade = true; /* hairpin: the pod would answer itself */
	return LB_TRANSLATE;
}

/* A packet to a frontend without a flow. `flow` is the caller's: the deepest call chain has 512 octets of stack in all. */
static __noinline int ingress_new(struct __sk_buff *skb, const struct lb_device *dev, const struct packet *p,
				  const struct lb_frontend *frontend, struct flow *flow)
{
	struct lb_choice choice = {};
	bool steer;

	if (!frontend)
		return TCX_NEXT;
	if (!packet_opens(p)) {
		/*
		 * The flow may be netfilter's: of a kube-proxy before us, or a masqueraded one whose port equals a node port. Of SCTP nobody can
		 * tell (known.h), so all of it is dropped: associations of a kube-proxy before us end, and their clients begin anew.
		 */
		if (known_to_conntrack(skb, &p->key, p->is_v4) ||
		    (frontend->flags & LB_FRONTEND_NODE_PORT && known_to_socket(skb, &p->key, p->is_v4)))
			return leave(skb, dev, p);
		return drop(skb, p, LB_DROP_NO_FLOW, frontend->service_id);
	}
	/*
	 * UDP reply to a masqueraded flow whose port equals a node port. Datagrams that came before the Service made an entry
	 * too, which they would keep alive for as long as the client goes on: that one is no reason to pass.
	 */
	if (frontend->flags & LB_FRONTEND_NODE_PORT && known_to_conntrack(skb, &p->key, p->is_v4) == KNOWN_ANSWERED)
		return TCX_NEXT;

	switch (ingress_choose(dev, p, frontend, &choice)) {
	case LB_TRANSLATE:
		break;
	case LB_REJECT:
		return reject(skb, p, choice.service_id);
	case LB_NO_LOCAL:
		return drop(skb, p, LB_DROP_NO_LOCAL_ENDPOINT, choice.service_id);
	case LB_STALE:
		return drop(skb, p, LB_DROP_STALE_LIST, choice.service_id);
	case LB_SHUT_OUT:
		return drop(skb, p, LB_DROP_SOURCE_RANGE, frontend->service_id);
	default:
		return leave(skb, dev, p);
	}
	steer = dev->flags & LB_DEVICE_BRIDGE_PORT && !choice.masquerade;

	switch (new_flow(p, &choice, steer, flow)) {
	case NEW_FLOW_OK:
		event_flow_new(p, skb->ifindex, &choice.backend);
		break;
	case NEW_FLOW_RACED:
		if (flow_find(&p->key, flow))
			break;
		return drop(skb, p, LB_DROP_FLOWS_FULL, choice.service_id);
	case NEW_FLOW_COLLISION:
		return drop(skb, p, LB_DROP_PORT_COLLISION, choice.service_id);
	default:
		return drop(skb, p, LB_DROP_FLOWS_FULL, choice.service_id);
	}
	stats_packet(flow->state, skb, p->l3_offset, false);
	return ingress_rewrite(skb, p, flow);
}

SEC("tcx/ingress") int tc_ingress(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex, address_flags;
	struct lb_device *dev = bpf_map_lookup_elem(&devices, &ifindex);
	struct lb_frontend *frontend;
	struct flow flow = {};
	struct packet p;
	int verdict;

	if (!dev || skb->vlan_present)
		return TCX_NEXT;
	if (!packet_read(skb, dev, &p))
		return leave_unread(skb, dev, &p);
	p.key.direction = LB_IN;
	if (packet_is_icmp(&p)) {
		verdict = p.fragment || !packet_is_ours(skb, dev) ? ICMP_UNKNOWN : icmp_translate(skb, &p);
		return verdict == ICMP_UNKNOWN ? leave(skb, dev, &p) : verdict;
	}
	if (p.fragment) {
		verdict = fragment_read(skb, &p, packet_is_ours(skb, dev));
		if (verdict != FRAGMENT_KNOWN)
			return leave_fragment(skb, dev, &p, verdict);
	}

	if (flow_find(&p.key, &flow)) {
		if (flow.rewrite.flags & LB_REWRITE_STEER) {
			if (dev->flags & LB_DEVICE_BRIDGE_PORT && bpf_skb_store_bytes(skb, 0, dev->mac, 6, 0))
				return drop(skb, &p, LB_DROP_REWRITE_FAILED, flow.state->service_id);
			return TCX_NEXT;
		}
		if (!packet_is_ours(skb, dev))
			return TCX_NEXT;
		if (!flow_starts_anew(&flow, &p)) {
			/* Packets of a flow are seen where they come from: the client's here, the backend's at egress, unless the node is the client. */
			if (!(flow.rewrite.flags & LB_REWRITE_REPLY) || flow.state->flags & LB_FLOW_GUARD) {
				flow_track(&flow, &p, flow.rewrite.flags & LB_REWRITE_REPLY);
				stats_packet(flow.state, skb, p.l3_offset, flow.rewrite.flags & LB_REWRITE_REPLY);
			}
			return ingress_rewrite(skb, &p, &flow);
		}
		flow_release(flow.state, flow.rewrite.claim);
	}
	frontend = frontend_find(&p.key.destination, p.key.destination_port, p.key.protocol, false, &address_flags);
	if (!packet_is_ours(skb, dev))
		return TCX_NEXT;
	if (!frontend) {
		verdict = address_flags || packet_opens(&p) ? ingress_without_frontend(skb, &p, address_flags) : TCX_NEXT;
		return verdict == TCX_NEXT ? leave(skb, dev, &p) : verdict;
	}
	return ingress_new(skb, dev, &p, frontend, &flow);
}

SEC("tcx/egress") int tc_egress(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex, reason;
	struct lb_device *dev = bpf_map_lookup_elem(&devices, &ifindex);
	struct flow flow = {};
	struct packet p;
	int verdict;

	if (!dev || skb->vlan_present)
		return TCX_NEXT;
	if (!packet_read(skb, dev, &p))
		return dev->flags & LB_DEVICE_HOST ? TCX_DROP : TCX_NEXT;
	p.key.direction = LB_OUT;
	if (packet_is_icmp(&p)) {
		verdict = p.fragment ? ICMP_UNKNOWN : icmp_egress(skb, &p);
		if (verdict != ICMP_UNKNOWN)
			return verdict;
		/* Errors pass: our own refusals among them, which are about no flow. */
		return icmp_is_error_message(skb, &p) ? TCX_NEXT : leave(skb, dev, &p);
	}
	if (p.fragment && fragment_read(skb, &p, false) != FRAGMENT_KNOWN)
		return leave(skb, dev, &p);
	if (!flow_find(&p.key, &flow)) {
		if (!guard_is_needed(&p))
			return leave(skb, dev, &p);
		reason = guard(&p, &flow);
		if (reason)
			return drop(skb, &p, reason, 0);
	}
	if (flow.rewrite.flags & LB_REWRITE_REPLY) {
		/* The client asked the backend itself, by the port that it had used for the Service: no packet of this flow. */
		if (packet_accepts(&p) && flow_is_closed(flow.state->flags)) {
			flow_release(flow.state, flow.rewrite.claim);
			return leave(skb, dev, &p);
		}
		flow_track(&flow, &p, true);
		stats_packet(flow.state, skb, p.l3_offset, true);
	} else {
		/* The mark has done its work in FORWARD; an outer packet of a tunnel must not inherit it. */
		skb->mark &= ~cfg_masquerade_mark;
		if (flow.rewrite.flags & LB_REWRITE_PENDING) {
			reason = snat_resolve(skb, &p, dev, &flow);
			if (reason && reason != LB_DROP_SNAT_RACED && flow.state->flags & LB_FLOW_GUARD)
				flow_release(flow.state, flow.rewrite.claim); /* it has no other purpose */
			if (reason)
				return drop(skb, &p, reason, flow.state->service_id);
		}
		if (flow.state->flags & LB_FLOW_GUARD) {
			flow_track(&flow, &p, false);
			stats_packet(flow.state, skb, p.l3_offset, false);
		}
	}
	if (nat_rewrite(skb, &p, &flow.rewrite))
		return drop(skb, &p, LB_DROP_REWRITE_FAILED, flow.state->service_id);
	return TCX_NEXT;
}
