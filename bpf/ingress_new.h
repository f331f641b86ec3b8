/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Packets on the way in that belong to no flow: what they are, whether they begin one, and with which backend. */
#pragma once

#include "host_alias.h"
#include "known.h"
#include "lookup.h"
#include "nat.h"
#include "new_flow.h"
#include "prefix.h"
#include "reject.h"
#include "tc_packet.h"

static __always_inline int ingress_rewrite(struct __sk_buff *skb, const struct packet *p, const struct flow *flow)
{
	if (nat_rewrite(skb, p, &flow->rewrite))
		return drop(skb, p, LB_DROP_REWRITE_FAILED, flow->state->service_id);
	if (flow->rewrite.flags & LB_REWRITE_MASQUERADE)
		skb->mark |= cfg_masquerade_mark;
	return TCX_NEXT;
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
