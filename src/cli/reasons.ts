// Every reason for which a packet or a connection is refused, in words: what happened, and what to do about it. Names are those of
// enum lb_counter, as counters, metrics and events have them; a test sees to it that none is missing.

export interface Reason {
  /** A sentence: what the datapath saw, and what it did. */
  readonly meaning: string;
  /** A sentence for who wants it to stop; what to look at first. */
  readonly advice: string;
}

export const REASONS: Readonly<Record<string, Reason>> = {
  reject_sent: {
    meaning: 'The Service has no endpoint, or its address has no such port: the client was told by ICMP port unreachable.',
    advice: '`turnout services` shows the endpoints and the ports; look whether pods are ready and the selector matches them.',
  },
  socket_refused: {
    meaning: 'A process of this node or of a pod on it connected to a Service without endpoints: connect() said ECONNREFUSED.',
    advice: '`turnout services` shows the endpoints; look whether pods are ready and the selector matches them.',
  },
  reject_limited: {
    meaning: 'A packet would have been answered by ICMP port unreachable, but the limit of such answers in a second was reached.',
    advice: 'Somebody keeps trying a Service without endpoints: `turnout monitor --rejects` shows who.',
  },
  no_local_endpoint: {
    meaning: "The Service's traffic policy is Local and none of its endpoints is on this node: dropped, as kube-proxy does.",
    advice: 'Send to a node that has an endpoint (load balancers ask the health-check node port), or use the policy Cluster.',
  },
  source_range: {
    meaning: 'A client outside of loadBalancerSourceRanges sent to a load-balancer IP: dropped.',
    advice: "If the client should be let in, add its address to the Service's spec.loadBalancerSourceRanges.",
  },
  unallocated: {
    meaning: 'The address lies in a ServiceCIDR and no Service has it: dropped, since it leads nowhere.',
    advice: 'The client holds the address of a Service that was deleted; let it look up the name again.',
  },
  no_flow: {
    meaning:
      'A packet from the middle of a connection that nobody on this node knows: dropped, so that the host does not answer it.',
    advice:
      'Harmless for a while after a node was replaced or a connection was idle for longer than its timeout; if it goes on, see ' +
      'whether packets of one connection take different nodes, or raise the conntrack timeouts.',
  },
  flows_full: {
    meaning:
      'There was no room for another flow, and none that could be spared for it: the first packet of a connection was dropped.',
    advice: '`turnout status` shows how full the table is, `turnout flows --count` who fills it; raise --ebpf-flow-table-size.',
  },
  port_collision: {
    meaning: 'A client uses one port for several addresses of a Service, and no other port was free to tell the flows apart.',
    advice: 'Rare, and over once one of the flows ends; if not, give the client a wider range of ports.',
  },
  snat_exhausted: {
    meaning: 'No source port was free to masquerade a connection with: its first packet was dropped.',
    advice: 'Widen --ebpf-snat-port-range, or avoid masquerading (externalTrafficPolicy Local, a correct --cluster-cidr).',
  },
  snat_raced: {
    meaning:
      'Two first packets of one connection left at the same moment; the second was dropped, and its client sends it again.',
    advice: 'Nothing to do.',
  },
  no_source: {
    meaning: 'A packet had to be masqueraded, and the device it leaves by has no address of its family.',
    advice: 'Give the device an address of that family, or see why the route to the endpoint leads there.',
  },
  stale_list: {
    meaning:
      "The Service's list of endpoints was replaced twice while one packet was looking at it: dropped; its client sends it again.",
    advice: 'Nothing to do; if it is frequent, endpoints change all the time: see what restarts the pods.',
  },
  rewrite_failed: {
    meaning: 'The kernel refused to change a packet: it is cut short, or it is a fragment whose ports cannot be told.',
    advice: 'See with tcpdump what arrives; damaged packets are not our doing, whole ones are a defect worth a report.',
  },
  fragment: {
    meaning:
      'A fragment of a datagram to a Service whose first fragment never came, came without ports, or was refused; or it came ' +
      'before the first and could not be put aside: too long for that (jumbo frames), or too many in a second.',
    advice:
      'See with tcpdump whether first fragments get lost on the way; smaller datagrams, or a smaller MTU at the sender, need none.',
  },
  icmp_redirect: {
    meaning:
      'An ICMP redirect about a translated connection: dropped, since it would lead all traffic of a Service to one endpoint.',
    advice: 'Harmless; to have none, set net.ipv4.conf.*.send_redirects=0 on the router that sends them.',
  },
  no_alias: {
    meaning: "On the host's own port: an address of the node has no alias yet, or an alias lost its address.",
    advice: 'Over in a moment when an address came or went; else `turnout status` tells whether the process runs and follows.',
  },
  host_port: {
    meaning: "On the host's own port: the node sent to a Service that is no longer there, or a reply of a flow that has ended.",
    advice: 'Harmless for connections that outlive their Service; else let the client look up the name again.',
  },
};

/** What is known of a reason; of one that a newer datapath has, that nothing is. */
export function reasonOf(name: string): Reason {
  return (
    REASONS[name] ?? { meaning: 'This turnout does not know the reason.', advice: 'Use the turnout that installed the datapath.' }
  );
}
