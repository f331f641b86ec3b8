// What turnout cannot see or do beside others: a sentence of consequence and one of advice for each. (design.md section 1)

export const BLIND_SPOT_KINDS = {
  original_destination: {
    consequence:
      'These rules ask for the destination before translation; it is translated before netfilter sees the packet, so they never match Service traffic.',
    advice: 'Let them match the endpoint (address and port of the pod), or the masquerade mark (--ebpf-masquerade-bit).',
  },
  aws_connmark: {
    consequence:
      'The AWS VPC CNI marks connections to node ports by their destination, which is a pod by then: replies of pods on a secondary interface leave by that interface.',
    advice:
      'Use externalTrafficPolicy Cluster for node ports and load balancers by instance, or let load balancers target pods (IP mode).',
  },
  node_ports_in_input: {
    consequence:
      'These rules ask for node ports in INPUT; node-port traffic is forwarded to a pod, so they neither allow nor forbid it.',
    advice: 'Restrict node ports with --nodeport-addresses, with loadBalancerSourceRanges, or by the endpoint in FORWARD.',
  },
  child_devices: {
    consequence:
      'macvlan, ipvlan and SR-IOV devices of pods bypass the devices of the node: such pods reach Services by the socket path only, and UDP and external frontends not at all.',
    advice: 'Set --ebpf-socket-path=all on these nodes, or give the pods a second, ordinary device.',
  },
  vrf: {
    consequence: 'Devices in a VRF are left alone: what enters or leaves by them is not translated.',
    advice: 'Receive Service traffic by a device outside of the VRF.',
  },
  ipsec_policy: {
    consequence:
      'IPsec policies choose by the addresses after translation, and packets in a tunnel are translated where they come out, not where they enter.',
    advice:
      'Let the policies name nodes and pods, not Service addresses; a tunnel with a device of its own (xfrm interface) is hooked as usual.',
  },
  foreign_programs: {
    consequence:
      'Other tc programs on hooked devices may take packets past ours (redirect, redirect_peer) or change them before or after; turnout cannot see what they do.',
    advice:
      "Switch off that program's own Service handling (kube-proxy replacement), or exclude its devices with --ebpf-devices-exclude.",
  },
  invalid_drop: {
    consequence:
      'Rules drop what netfilter holds INVALID while a bridge passes replies between its ports past netfilter (br_netfilter is off): a connection that is not ours to steer loses its replies.',
    advice: 'Load br_netfilter and set net.bridge.bridge-nf-call-iptables=1, as Kubernetes asks of nodes with a bridge CNI.',
  },
  kube_proxy: {
    consequence:
      "kube-proxy's rules are in force beside turnout: what turnout leaves alone is translated by them, by lists that nobody may keep up to date.",
    advice: 'Stop kube-proxy on this node, then remove its rules: kube-proxy --cleanup',
  },
  not_looked_at: {
    consequence: 'What these tools show was not looked at, so blind spots of that kind would not be found.',
    advice: 'Install the tools on the node or in the image, then ask again: turnout verify',
  },
} as const satisfies Readonly<Record<string, { readonly consequence: string; readonly advice: string }>>;

export type BlindSpotKind = keyof typeof BLIND_SPOT_KINDS;

export interface BlindSpot {
  readonly kind: BlindSpotKind;
  /** Where it was seen, the first few: a rule with its chain, a device. */
  readonly found: readonly string[];
  /** How often it was seen. */
  readonly count: number;
  readonly consequence: string;
  readonly advice: string;
}

const SHOWN = 5;
const MAX_TEXT = 200;

/** Collects what is seen; a kind that was never seen is no blind spot. */
export class BlindSpots {
  readonly #seen = new Map<BlindSpotKind, { found: string[]; count: number }>();

  add(kind: BlindSpotKind, where: string): void {
    const seen = this.#seen.get(kind) ?? { found: [], count: 0 };
    this.#seen.set(kind, seen);
    // kube-proxy may have left hundreds of thousands of rules.
    if (seen.count++ < SHOWN) seen.found.push(where.length > MAX_TEXT ? `${where.slice(0, MAX_TEXT)}...` : where);
  }

  list(): BlindSpot[] {
    return [...this.#seen]
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([kind, seen]) => ({ kind, ...seen, ...BLIND_SPOT_KINDS[kind] }));
  }
}
