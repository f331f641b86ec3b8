/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The two programs on every device. Destinations are translated on the way in, sources on the way out; the stack in
 * between sees only real endpoints. Whatever is not surely ours passes on to the next program (rule 9).
 */
#pragma once

#include "flow.h"
#include "fragment.h"
#include "guard.h"
#include "icmp.h"
#include "ingress_new.h"
#include "nat.h"
#include "snat.h"
#include "tc_packet.h"

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
