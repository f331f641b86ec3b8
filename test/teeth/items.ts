// The hard things that NAT has to get right, one by one, each with the parts that do it. An item without a part that bites fails the run.
import type { Part } from './part.ts';

export interface Item {
  readonly item: string;
  /** Names of parts, whole. */
  readonly parts: readonly string[];
}

export const ITEMS: readonly Item[] = [
  {
    item: 'bridge CNIs with br_netfilter on and off',
    parts: [
      'a flow that came in by a bridge port steers its replies to the bridge', // off
      'on a bridge port only what is addressed to the bridge is ours',
      'a pod that is chosen for its own connection is masqueraded', // on
      'the masquerade mark is set at ingress', // on
    ],
  },
  {
    item: 'FORWARD policy drop',
    parts: ['the masquerade mark is set at ingress', "the masquerade mark leads through the host's FORWARD chain"],
  },
  {
    item: 'one-armed nodes without ICMP redirects leaking, both families',
    parts: [
      'a redirect about a translated flow is dropped',
      'the packet in an ICMPv6 redirect is found behind other options',
      'redirects about requests of a flow are found',
      'redirects about replies of a flow are found',
    ],
  },
  { item: 'promiscuous devices', parts: ['elsewhere only what is addressed to this host is ours'] },
  {
    item: "a pod's masqueraded connection whose source port equals a node port or lies in our SNAT range",
    parts: [
      "netfilter's connections to a frontend pass in their midst",
      "netfilter's UDP flows with a reply pass at a node port",
      "netfilter's flows to our SNAT range pass",
      'node ports are guarded too',
      'a connection of the node whose port we have given out gets another',
    ],
  },
  {
    item: 'two VIPs with one backend and the same client port',
    parts: [
      'a second flow to one endpoint gets another client port in between',
      'the reply names the flow that has its own port',
    ],
  },
  {
    item: 'a pod that asks its own Service, from whatever port',
    parts: [
      'a pod that is chosen for its own connection is masqueraded',
      'a pod that asks itself from the port that it serves on gets another port in between',
      'a pod that may be chosen for its own connection is left to the packet path',
    ],
  },
  {
    item: 'SNAT port range full, counted and recovered',
    parts: [
      'no free port is a counted drop',
      'a port whose flow has ended can be given out',
      'a port is looked for more than a few times',
    ],
  },
  {
    item: 'a flow that lost entries heals from its reply',
    parts: ['the next packet of a flow makes lost entries again', 'rounds over the table make lost entries again'],
  },
  {
    item: "or is dropped and counted, never answered by the host's own stack",
    parts: [
      'a packet to our SNAT range that nobody knows is dropped',
      'a packet that begins nothing and belongs to no flow is dropped at a frontend',
    ],
  },
  {
    item: 'eviction under pressure takes unreplied flows first',
    parts: [
      'a full table makes room for a first packet',
      'what goes on after an answer is not evicted',
      'what has ended is evicted before what waits for an answer',
    ],
  },
  { item: 'a SYN sent again keeps its backend', parts: ['a SYN sent again keeps its endpoint'] },
  {
    item: 'port reuse after FIN and RST',
    parts: [
      'the port of a closed connection can be used again',
      'a closed flow gives way to one of another frontend',
      'a closed flow gives way to a connection straight to its endpoint',
    ],
  },
  {
    item: "SNAT ports against netfilter's own NAT and local sockets",
    parts: [
      'a port of netfilter is not given out',
      'a port of a socket is not given out',
      'a connection of the node whose port we have given out gets another',
      'sockets of the host keep their ports',
    ],
  },
  {
    item: 'one-way UDP keeps both halves',
    parts: ['requests keep a flow alive, with both halves', 'replies keep a flow alive, with both halves'],
  },
  {
    item: 'ICMP errors through DNAT and SNAT in both directions',
    parts: [
      'errors are translated on the way in',
      'errors are translated on the way out',
      'an error that comes in goes to the other end of the flow',
      "a backend's own error comes from the Service",
      "a router's error keeps the router's address",
    ],
  },
  {
    item: 'inner headers of ICMP errors',
    parts: [
      'the address inside an error is translated',
      'the ports inside an error are translated',
      'the ports inside an error are behind options',
      'the ports inside an error are behind extension headers',
      'what is inside an error is read as a packet of its IP version only',
    ],
  },
  {
    item: 'truncated ICMP errors',
    parts: ['eight octets behind the inner IP header are enough of an error', 'an error that is cut is none of ours, and passes'],
  },
  {
    item: 'PMTU discovery end to end over a small-MTU hop and over VXLAN',
    parts: ['errors are translated on the way in', 'errors are translated on the way out'],
  },
  {
    item: 'errors made by the local stack about translated packets',
    parts: ['errors are translated on the way out', 'an endpoint that sees this node hears of errors from this node'],
  },
  {
    item: 'fragments in order at both hooks',
    parts: ['later fragments are found at ingress', 'later fragments are found at egress', 'fragments are those of one datagram'],
  },
  {
    item: 'fragments out of order at both hooks',
    parts: [
      'a fragment that comes too early is put aside',
      'the first fragment brings those that came before it',
      'later fragments are found at egress',
    ],
  },
  {
    item: 'IPv6 fragment and extension headers',
    parts: [
      'the ports of IPv6 are behind its extension headers',
      'a routing header is one of them',
      'a later fragment of IPv6 has no headers',
    ],
  },
  { item: 'IP options', parts: ['the ports of IPv4 are behind its options', 'the ports inside an error are behind options'] },
  { item: 'v4-mapped IPv6 sockets', parts: ['an IPv4-mapped address is IPv4'] },
  {
    item: 'TCP and UDP with GSO, GRO and partial checksums',
    parts: ['a partial checksum of IPv4 covers the pseudo header', 'a partial checksum of IPv6 covers the pseudo header'],
  },
  {
    item: 'devices without Ethernet header (tun)',
    parts: [
      'where the IP header is, is said by the row of the device',
      'what is refused at a device without Ethernet header has no stations to turn around',
    ],
  },
  {
    item: 'tagged VLAN frames',
    parts: ['a tagged frame is left alone at ingress', 'a tagged frame is left alone at egress'],
  },
  {
    item: 'devices that come and go, renamed, moved into a namespace',
    parts: [
      'a device that comes is hooked',
      'a device that went, or has another name now, is let go',
      'a device that went takes its links along, also where another one has its number by then',
      'a device without a row is none of ours',
    ],
  },
  {
    item: 'timeouts, from the conntrack settings',
    parts: [
      'timeouts are the conntrack settings',
      'flows live for a day, an hour, 30 and 120 seconds where nothing is set',
      'an open TCP connection lives for a day',
      'a TCP connection that one side has closed goes sooner than an open one',
      'UDP with a reply lives longer than without',
      'UDP without a reply does not live as long as with one',
      'a flow that was silent for too long is ended',
    ],
  },
  {
    item: "ten times the flow table's capacity of SYNs while connections keep moving",
    parts: ['what goes on after an answer is not evicted', 'a full table makes room for a first packet'],
  },
  {
    item: 'table full',
    parts: [
      'without a free row a new flow is dropped',
      'the last rows of a table that is nearly full are found',
      'a table that refuses a row is named',
    ],
  },
  { item: 'map write refused', parts: ['a table that refuses a row is named', 'what was in force stays where a row is refused'] },
  {
    item: 'link detached by somebody else',
    parts: ['a link that was detached is seen', 'a link that somebody detached is attached again'],
  },
];

/** Items of which no part bites, by the names of those that do. */
export const withoutPart = (biting: ReadonlySet<string>): Item[] =>
  ITEMS.filter(({ parts }) => !parts.some((name) => biting.has(name)));

/** What an item says of parts that are none: a name that has changed. */
export const unknownNames = (parts: readonly Part[]): string[] => {
  const names = new Set(parts.map(({ name }) => name));
  return ITEMS.flatMap((item) => item.parts.filter((name) => !names.has(name)));
};
