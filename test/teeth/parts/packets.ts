// From octets to a 5-tuple and back: options, extension headers, fragments, checksums.
import { also, type Part, part } from '../part.ts';

const FRAGMENTS = 'fragments.test.ts';
const HELD = 'held-fragments.test.ts';
const SCTP = 'sctp-checksum.test.ts';
const FRAMES = 'frames.test.ts';

export const PACKETS: readonly Part[] = [
  part(
    'the ports of IPv4 are behind its options',
    { file: 'packet.h', from: 'p->l4_offset = p->l3_offset + ip->ihl * 4;', to: 'p->l4_offset = p->l3_offset + 20;' },
    'translation.test.ts',
    /a translation leaves alone > TTL, TOS, flags, identification and options of IPv4/,
  ),
  part(
    'the ports of IPv6 are behind its extension headers',
    {
      file: 'packet.h',
      from: '} else if (ipv6_is_extension(next)) {',
      to: '} else if (0) {',
    },
    'translation.test.ts',
    /a translation leaves alone > hop limit, traffic class, flow label and extension headers of IPv6/,
  ),
  part(
    'later fragments are found at ingress',
    { file: 'hook_tc.h', from: 'verdict = fragment_read(skb, &p, packet_is_ours(skb, dev));', to: 'verdict = FRAGMENT_KNOWN;' },
    FRAGMENTS,
    /a later fragment follows the first one, only its address changed/,
    /fragments of a masqueraded datagram leave with the address of this node/,
  ),
  also(
    part(
      'later fragments are found at egress',
      { file: 'hook_tc.h', from: 'if (p.fragment && fragment_read(skb, &p, false) != FRAGMENT_KNOWN)', to: 'if (0)' },
      FRAGMENTS,
      /fragments of the reply get the address that was asked/,
      /fragments of a masqueraded datagram leave with the address of this node/,
    ),
    'netns/fragments.test.ts',
    /pods on a bridge.* > IPv4 .* > fragments of an endpoint's reply arrive that are sent backwards/,
  ),
  part(
    'fragments are those of one datagram',
    { file: 'fragment.h', from: 'key->id = p->fragment_id;', to: 'key->id = 0;' },
    FRAGMENTS,
    /a later fragment of another datagram, client or protocol is not taken for this one/,
  ),
  part(
    'what a first fragment said does not hold for the next datagram with its id',
    { file: 'fragment.h', from: '!row->protocol || fragment_is_old(row, now_ns)', to: '!row->protocol' },
    HELD,
    /what an old datagram's first fragment said does not hold for a new one with the same id/,
  ),
  also(
    part(
      'a fragment that comes too early is put aside',
      { file: 'fragment.h', from: 'result = fragment_hold(skb, p);', to: 'result = 0 ? fragment_hold(skb, p) : FRAGMENT_LOST;' },
      HELD,
      /one to the ClusterIP is put aside as it is, and dropped/,
      /the first fragment brings those that came before it/,
    ),
    'netns/fragments.test.ts',
    /pods on a bridge.* > IPv[46] .* > fragments arrive in whatever order they are sent/,
  ),
  part(
    'the first fragment brings those that came before it',
    { file: 'fragment.h', from: 'return held && held_release(', to: 'return 0 && held_release(' },
    HELD,
    /the first fragment brings those that came before it/,
  ),
  part(
    'putting fragments aside has a limit',
    { file: 'held_fragment.h', from: '#define HELD_PER_SECOND 20000', to: '#define HELD_PER_SECOND 2000000' },
    HELD,
    /a flood of them is put aside no faster than the limit/,
  ),
  part(
    'only what goes to an address of ours is put aside',
    { file: 'fragment.h', from: 'if (!address_flags || !is_ours || !fragment_has_ports(p))', to: 'if (!fragment_has_ports(p))' },
    HELD,
    /one that goes to no Service, to another station, or out of here, is none of our business/,
  ),
  part(
    'the datagrams of others make no row',
    { file: 'fragment.h', from: 'if (!fragment_address_flags(p) && !bpf_map_lookup_elem(&flows, &p->key))', to: 'if (0)' },
    FRAGMENTS,
    /datagrams of others make no row/,
  ),
  also(
    part(
      'a later fragment of IPv6 has no headers',
      { file: 'packet.h', from: 'if (p->fragment == PACKET_LATER_FRAGMENT)\n\t\t\t\tbreak;', to: '' },
      FRAGMENTS,
      /(behind the fragment header|on both sides) do not hide the ports, and the rest is not read for headers/,
    ),
    'untouched.test.ts',
    /a later IPv6 fragment whose data look like an extension header in front of UDP passes unchanged/,
  ),
  part(
    'a first fragment without ports does not reach a Service',
    { file: 'fragment.h', from: 'if (address_flags && !(address_flags & LB_ADDRESS_NODE))', to: 'if (0)' },
    FRAGMENTS,
    /is dropped on the way to a Service, and the rest never gets there/,
  ),
  part(
    'a refused datagram is answered once',
    { file: 'reject.h', from: 'if (p->fragment == PACKET_LATER_FRAGMENT) {', to: 'if (0) {' },
    FRAGMENTS,
    /a refused datagram is answered once/,
  ),
  part(
    'a later fragment has no checksum',
    { file: 'nat.h', from: 'p->fragment != PACKET_LATER_FRAGMENT && p->key.protocol', to: 'p->key.protocol' },
    FRAGMENTS,
    /a later fragment follows the first one, only its address changed/,
  ),
  part(
    'a later fragment has no ports to write',
    { file: 'nat.h', from: 'if (p->fragment == PACKET_LATER_FRAGMENT)\n\t\treturn 0;', to: '' },
    FRAGMENTS,
    /a later fragment follows the first one, only its address changed/,
  ),
  part(
    'SCTP fragments whose ports would change go',
    {
      file: 'nat.h',
      from: 'if (p->key.protocol == IPPROTO_SCTP && p->fragment && !nat_ports_stay',
      to: 'if (0 && !nat_ports_stay',
    },
    FRAGMENTS,
    /are dropped by that name where ports change, all of them, unchanged/,
  ),
  part(
    'a UDP checksum of zero means none, and none becomes zero',
    { file: 'nat.h', from: 'return p->key.protocol == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;', to: 'return 0;' },
    'checksum.test.ts',
    /a checksum of zero stays zero on the way in and out/,
    /a checksum that becomes zero is written as 0xffff/,
  ),
  part(
    'the IPv4 header has a checksum of its own',
    {
      file: 'nat.h',
      from: 'if (bpf_l3_csum_replace(skb, ip_checksum, from->word[3], to->word[3], sizeof(__be32)))\n\t\treturn -1;',
      to: '',
    },
    'checksum.test.ts',
    /over IPv4 .* three hundred packets/,
  ),
  part(
    'the CRC of SCTP follows the ports',
    {
      file: 'nat.h',
      from: 'header.checksum ^= crc32c_word(crc32c_change(crc32c_word(*(__be32 *)&difference), length));',
      to: '',
    },
    SCTP,
    /the CRC over .* is right at each hook/,
  ),
  part(
    'the CRC of SCTP covers what the IP header says is the packet',
    {
      file: 'nat.h',
      from: 'return length >= headers + sizeof(struct sctp_header) + sizeof(struct sctp_chunk) ? length - headers : 0;',
      to: 'return skb->len - p->l4_offset;',
    },
    SCTP,
    /covers what the IP header says is the packet, not what pads the frame/,
  ),
  part(
    'a CRC of zero is none yet',
    { file: 'nat.h', from: 'if (header.checksum) {', to: 'if (1) {' },
    SCTP,
    /of zero stays zero on all four ways/,
  ),
  part(
    'a routing header is one of them',
    { file: 'packet.h', from: ' || next == IPPROTO_ROUTING', to: '' },
    'headers.test.ts',
    /over IPv6 .* > a flow whose packets have (a routing header|each of them) is translated on all four ways/,
    /a fragment header > behind others is found/,
  ),
  also(
    part(
      'a tagged frame is left alone at ingress',
      {
        file: 'hook_tc.h',
        from: 'struct lb_frontend *frontend;\n\tstruct flow flow = {};\n\tstruct packet p;\n\tint verdict;\n\n\tif (!dev || skb->vlan_present)',
        to: 'struct lb_frontend *frontend;\n\tstruct flow flow = {};\n\tstruct packet p;\n\tint verdict;\n\n\tif (!dev)',
      },
      FRAMES,
      /a tagged frame passes both hooks unchanged/,
    ),
    'netns/foreign-frames.test.ts',
    /of a VLAN pass on the way in/,
  ),
  part(
    'a tagged frame is left alone at egress',
    {
      file: 'hook_tc.h',
      from: 'bpf_map_lookup_elem(&devices, &ifindex);\n\tstruct flow flow = {};\n\tstruct packet p;\n\tint verdict;\n\n\tif (!dev || skb->vlan_present)',
      to: 'bpf_map_lookup_elem(&devices, &ifindex);\n\tstruct flow flow = {};\n\tstruct packet p;\n\tint verdict;\n\n\tif (!dev)',
    },
    FRAMES,
    /a tagged frame passes both hooks unchanged/,
  ),
  also(
    part(
      'where the IP header is, is said by the row of the device',
      {
        file: 'tc_packet.h',
        from: '\n\n\tresult = parse_packet((void *)(long)skb->data, (void *)(long)skb->data_end, dev->l2_length,',
        to: '\n\n\tresult = parse_packet((void *)(long)skb->data, (void *)(long)skb->data_end, ETH_HLEN,',
      },
      FRAMES,
      /a device without Ethernet header, over .* > (requests|errors) are/,
    ),
    'netns/no-ethernet.test.ts',
    /pods behind them, and others, reach endpoints behind them, and others, and are seen as themselves/,
  ),
  part(
    'a partial checksum of IPv4 covers the pseudo header',
    { file: 'nat.h', from: 'nat_l4_flags(p) | BPF_F_PSEUDO_HDR | sizeof(__be32)', to: 'nat_l4_flags(p) | sizeof(__be32)' },
    'netns/offload.test.ts',
    /IPv4 TCP > a pod's packets and the replies arrive/,
  ),
  part(
    'what is refused at a device without Ethernet header has no stations to turn around',
    { file: 'reject.h', from: 'if (l2_length != ETH_HLEN)\n\t\treturn 0;', to: '' },
    'netns/no-ethernet.test.ts',
    /a Service without endpoints refuses clients and pods behind them/,
  ),
  {
    name: 'a partial checksum of IPv6 covers the pseudo header',
    changes: [
      {
        file: 'nat.h',
        from: '0, difference, flags | BPF_F_PSEUDO_HDR | L4_CSUM_IPV6)) {',
        to: '0, difference, flags)) {',
      },
    ],
    noticed: [{ file: 'test/netns/offload.test.ts', name: /IPv6 TCP > a pod's packets and the replies arrive/ }],
  },
];
