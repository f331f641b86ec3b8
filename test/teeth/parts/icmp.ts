// Rule 4: errors are translated both ways, inner headers included; redirects are dropped.
import { also, type Part, part } from '../part.ts';

const FILE = 'icmp.test.ts';
const INNER = 'icmp-inner.test.ts';
const BY_BOTH_HOOKS = /that is masqueraded finds its way from .*, by both hooks/;

export const ICMP: readonly Part[] = [
  also(
    part(
      'a redirect about a translated flow is dropped',
      { file: 'icmp.h', from: 'if (icmp_redirect_is_ours(skb, p)) {', to: 'if (0) {' },
      FILE,
      /a redirect over .* about a translated flow is dropped by that name, unchanged/,
    ),
    'netns/redirects.test.ts',
    /no redirect about a Service reaches client or endpoint/,
  ),
  part(
    'the packet in an ICMPv6 redirect is found behind other options',
    { file: 'icmp.h', from: 'at += head[1] * 8;', to: 'return 0;' },
    FILE,
    /a redirect over IPv6 > about a translated flow is dropped by that name, unchanged/,
  ),
  also(
    part(
      'errors are translated on the way in',
      { file: 'hook_tc.h', from: 'ICMP_UNKNOWN : icmp_translate(skb, &p);', to: 'ICMP_UNKNOWN : ICMP_UNKNOWN;' },
      FILE,
      /of the client about a reply reaches the endpoint/,
      BY_BOTH_HOOKS,
    ),
    'netns/pmtu.test.ts',
    /over IPv4 > the hop is told to the endpoint about its replies: masqueraded, the endpoint here/,
  ),
  also(
    part(
      'errors are translated on the way out',
      { file: 'icmp.h', from: '\treturn icmp_translate(skb, p);', to: '\treturn ICMP_UNKNOWN;' },
      FILE,
      /of a router on the way to the endpoint names the address that the client asked/,
      /of the endpoint comes from the address that the client asked/,
      BY_BOTH_HOOKS,
    ),
    'netns/pmtu.test.ts',
    /over IPv4 > is told to a pod by the ClusterIP that it asked for/,
    /a tunnel between the nodes is told by this node itself to a client over IPv6/,
  ),
  part(
    'the address inside an error is translated',
    {
      file: 'icmp.h',
      from: 'if (icmp_rewrite_inner_address(skb, p, &inner, &to) ||\n\t    icmp_rewrite_inner_ports',
      to: 'if (icmp_rewrite_inner_ports',
    },
    FILE,
    /of a router on the way to the endpoint names the address/,
    BY_BOTH_HOOKS,
  ),
  part(
    'the ports inside an error are translated',
    {
      file: 'icmp.h',
      from: ' ||\n\t    icmp_rewrite_inner_ports(skb, p, &inner, flow.rewrite.destination_port, flow.rewrite.source_port))',
      to: ')',
    },
    FILE,
    /of a router on the way to the endpoint names the address/,
    BY_BOTH_HOOKS,
  ),
  part(
    'an error that comes in goes to the other end of the flow',
    {
      file: 'icmp.h',
      from: '(in || !(flow.rewrite.flags & LB_REWRITE_REPLY) ||',
      to: '(!(flow.rewrite.flags & LB_REWRITE_REPLY) ||',
    },
    FILE,
    /that is masqueraded finds its way from a router to the client, by both hooks/,
  ),
  part(
    "a backend's own error comes from the Service",
    { file: 'icmp.h', from: '|| lb_addr_equal(&p->key.source, &turned.source))', to: ')' },
    FILE,
    /of the endpoint comes from the address that the client asked/,
  ),
  part(
    "a router's error keeps the router's address",
    { file: 'icmp.h', from: '|| lb_addr_equal(&p->key.source, &turned.source))', to: '|| true)' },
    FILE,
    /of a router on the way to the endpoint names the address that the client asked, and stays the router's/,
  ),
  also(
    part(
      'an endpoint that sees this node hears of errors from this node',
      { file: 'icmp.h', from: '!(flow.rewrite.flags & LB_REWRITE_REPLY) || lb_addr', to: 'lb_addr' },
      FILE,
      /of a router on the masqueraded client's side comes to the endpoint from this node/,
    ),
    'netns/pmtu.test.ts',
    /over IPv4 > the hop is told to the endpoint about its replies: masqueraded, the endpoint elsewhere/,
  ),
  part(
    'only errors are looked into',
    { file: 'icmp.h', from: 'return type == 3 || type == 4 || type == 11 || type == 12;', to: 'return true;' },
    INNER,
    /over IPv4 > (an echo|a message of a kind that nobody knows) that carries the head of a packet of a flow passes unchanged/,
  ),
  part(
    "the other family's ICMP is none",
    { file: 'packet.h', from: 'return p->is_v4 ? PARSE_OK : PARSE_OTHER;', to: 'return PARSE_OK;' },
    FILE,
    /IPv6 .* that names the other family's ICMP as its protocol passes unchanged/,
  ),
  part(
    'the sum over an IPv4 error follows the sum over the header inside',
    { file: 'icmp.h', from: 'bpf_l4_csum_replace(skb, icmp_checksum, before, after, sizeof(after)) ||\n\t    ', to: '' },
    FILE,
    /IPv4 .* of a router on the way to the endpoint names the address/,
  ),
  part(
    'the sum over an IPv6 error follows the address inside',
    { file: 'icmp.h', from: 'if (bpf_l4_csum_replace(skb, icmp_checksum, 0, difference, 0))\n\t\t\treturn -1;', to: '' },
    FILE,
    /IPv6 .* of a router on the way to the endpoint names the address/,
  ),
  part(
    'only errors are looked into, of ICMPv6 too',
    { file: 'icmp.h', from: 'return type >= 1 && type <= 4;', to: 'return true;' },
    INNER,
    /over IPv6 > (an echo|a message of a kind that nobody knows) that carries the head of a packet of a flow passes unchanged/,
  ),
  part(
    'the ports inside an error are behind options',
    { file: 'icmp.h', from: 'at += v4.ihl * 4;', to: 'at += 20;' },
    INNER,
    /over IPv4 .* > about a packet with (options|as many options as there may be) is translated both ways/,
  ),
  part(
    'the ports inside an error are behind extension headers',
    { file: 'icmp.h', from: 'i < IPV6_EXTENSION_HEADERS_MAX && ipv6_is_extension(*next)', to: 'i < 0' },
    INNER,
    /over IPv6 .* > about a packet with .* is translated both ways/,
  ),
  part(
    'what is inside an error is read as a packet of its IP version only',
    { file: 'icmp.h', from: ' || v4.version != 4 || v4.ihl < 5 ||', to: ' ||' },
    FILE,
    /IPv4 .* > about what is no IP packet passes unchanged/,
    /an error about an IPv4 header that claims four words is not about the ports that its last word would be/,
  ),
  part(
    'what is inside an error is read as a packet of its IP version only, of IPv6 too',
    { file: 'icmp.h', from: ' || v6.version != 6)', to: ')' },
    FILE,
    /IPv6 .* > about what is no IP packet passes unchanged/,
  ),
  part(
    'an error that is cut is none of ours, and passes',
    { file: 'icmp.h', from: 'p->is_v4, &inner))\n\t\treturn ICMP_UNKNOWN;', to: 'p->is_v4, &inner))\n\t\treturn TCX_DROP;' },
    FILE,
    /that is cut in the packet it is about passes unchanged/,
    /about what is no IP packet passes unchanged/,
  ),
  also(
    part(
      'eight octets behind the inner IP header are enough of an error',
      {
        file: 'icmp.h',
        from: 'if (bpf_skb_load_bytes(skb, at, &ports, sizeof(ports)))',
        to: '__u8 more[20];\n\n\tif (bpf_skb_load_bytes(skb, at, more, sizeof(more)) || bpf_skb_load_bytes(skb, at, &ports, sizeof(ports)))',
      },
      INNER,
      /is translated both ways, also if no more than eight octets follow/,
    ),
    'netns/icmp-errors.test.ts',
    /a router's error with no more than eight octets of the datagram finds the masqueraded client/,
  ),
  part(
    'a later fragment inside an error has no ports',
    { file: 'icmp.h', from: ' ||\n\t\t    v4.frag_off & bpf_htons(IP_FRAGMENT_OFFSET))', to: ')' },
    INNER,
    /over IPv4 .* > about a later fragment, whose first octets are no ports, passes unchanged/,
  ),
  part(
    'a later fragment of IPv6 inside an error has no ports',
    { file: 'icmp.h', from: 'else if (header.offset & bpf_htons(IPV6_FRAGMENT_OFFSET))\n\t\t\treturn 0;', to: '' },
    INNER,
    /over IPv6 .* > about a later fragment, whose first octets are no ports, passes unchanged/,
  ),
  part(
    'redirects about requests of a flow are found',
    {
      file: 'icmp.h',
      from: 'return flow_find(&inner.key, &flow) || flow_find(&turned, &flow);',
      to: 'return flow_find(&inner.key, &flow);',
    },
    FILE,
    /a redirect over .* about a translated flow is dropped by that name, unchanged/,
  ),
  part(
    'redirects about replies of a flow are found',
    {
      file: 'icmp.h',
      from: 'return flow_find(&inner.key, &flow) || flow_find(&turned, &flow);',
      to: 'return flow_find(&turned, &flow);',
    },
    INNER,
    /a redirect over .* about a reply of a translated flow is dropped by that name, unchanged/,
  ),
];
