// The packet inside an ICMP error: its header may be long, it may be a fragment, and it is of no interest in what is no error.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { IpFamily } from '../../src/state/model.ts';
import { CASES, CLIENT_PORT, FAMILIES, PORT, type Segment, segment, servicePort, TARGET_PORT, V4, V6 } from './cluster.ts';
import { Datapath } from './datapath.ts';
import { changed, type Extension, icmp, type Packet, raw } from './packet/packet.ts';
import './packet/to-be-packet.ts';
import { ipOctets, octetsOf } from './packet/write-packet.ts';

const CHECKSUM = 0x1234; // of the packet inside: nobody rewrites it, so any number will do

let datapath: Datapath;
beforeAll(async () => {
  datapath = await Datapath.load();
});
beforeEach(() => datapath.forgetFlows());
afterAll(() => datapath.close());

type Kind = { readonly type: number; readonly code: number };
const TOO_BIG = { IPv4: { type: 3, code: 4 }, IPv6: { type: 2, code: 0 } };

/** A message of `from` to `to` that carries this much of a packet, its checksum as given. */
function carrying(about: Packet, octets: number, { from, to, kind }: { from: string; to: string; kind: Kind }): Packet {
  const inner = { ...about, l4: { ...about.l4, ...('sourcePort' in about.l4 && { checksum: CHECKSUM }) } } as Packet;
  return icmp({ source: from, destination: to, ...kind, rest: 1400, payload: ipOctets(inner).slice(0, octets) });
}

const noOperations = (octets: number): Uint8Array => new Uint8Array(octets).fill(1);
const padding: Extension = { kind: 'destinationOptions', data: Uint8Array.of(1, 4, 0, 0, 0, 0) };
const hopByHop: Extension = { kind: 'hopByHop', data: Uint8Array.of(1, 4, 0, 0, 0, 0) };
const firstFragment: Extension = { kind: 'fragment', id: 7, offset: 0, moreFragments: true };
const LONG: Readonly<Record<IpFamily, readonly (readonly [string, Segment['ip'], number])[]>> = {
  IPv4: [
    ['options', { options: noOperations(8) }, 28],
    ['as many options as there may be', { options: noOperations(40) }, 60],
    ['more fragments behind it', { moreFragments: true }, 20],
  ],
  IPv6: [
    ['an extension header', { extensions: [padding] }, 48],
    ['several extension headers', { extensions: [hopByHop, padding, padding] }, 64],
    ['a fragment header, as the first of several', { extensions: [hopByHop, firstFragment] }, 56],
  ],
};

describe.each(CASES)('an error over $title', ({ addresses, transport }) => {
  const { client, clusterIP, endpoint, family, stranger: router } = addresses;
  const between = (
    source: string,
    sourcePort: number,
    destination: string,
    destinationPort: number,
    ip: Segment['ip'] = {},
  ): Packet => segment(transport, { source, sourcePort, destination, destinationPort, ip });
  const begin = (): void => {
    datapath.program(servicePort(addresses, transport));
    datapath.ingress(between(client, CLIENT_PORT, clusterIP, PORT));
  };

  test.each(LONG[family])(
    'about a packet with %s is translated both ways, also if no more than eight octets follow',
    (_, ip, header) => {
      begin();
      const toEndpoint = between(client, CLIENT_PORT, endpoint, TARGET_PORT, ip);
      const asked = changed(toEndpoint, { destination: clusterIP, destinationPort: PORT });
      const toClient = between(clusterIP, PORT, client, CLIENT_PORT, ip);
      const sent = changed(toClient, { source: endpoint, sourcePort: TARGET_PORT });
      for (const more of [8, 20]) {
        const octets = header + more;
        const [out, inward] = [
          { from: router, to: client, kind: TOO_BIG[family] },
          { from: client, to: clusterIP, kind: TOO_BIG[family] },
        ];
        expect(datapath.egress(carrying(toEndpoint, octets, out)).packet).toBePacket(carrying(asked, octets, out));
        expect(datapath.ingress(carrying(toClient, octets, inward)).packet).toBePacket(
          carrying(sent, octets, { ...inward, to: endpoint }),
        );
      }
    },
  );

  test('about a later fragment, whose first octets are no ports, passes unchanged', () => {
    begin();
    // Octets that would be the ports of the flow.
    const ports = ipOctets(between(client, CLIENT_PORT, endpoint, TARGET_PORT)).slice(family === 'IPv4' ? 20 : 40);
    const later = raw({
      ...{ source: client, destination: endpoint, protocol: { TCP: 6, UDP: 17, SCTP: 132 }[transport], payload: ports },
      ip:
        family === 'IPv4'
          ? { fragmentOffset: 1480 }
          : { extensions: [{ kind: 'fragment', id: 7, offset: 1480, moreFragments: false }] },
    });
    const error = carrying(later, 100, { from: router, to: client, kind: TOO_BIG[family] });
    expect(datapath.egress(error)).toMatchObject({ verdict: 'next', packet: octetsOf(error) });
  });
});

describe.each(FAMILIES)('over $title', ({ addresses }) => {
  const { client, clusterIP, endpoint, family, stranger } = addresses;
  const about = segment('UDP', { source: client, sourcePort: CLIENT_PORT, destination: endpoint, destinationPort: TARGET_PORT });
  const [header, echo, strange] = family === 'IPv4' ? [20, 8, 40] : [40, 128, 127];

  test.each([
    ['an echo', echo],
    ['a message of a kind that nobody knows', strange],
  ])('%s that carries the head of a packet of a flow passes unchanged', (_, type) => {
    datapath.program(servicePort(addresses, 'UDP'));
    datapath.ingress(changed(about, { destination: clusterIP, destinationPort: PORT }));
    const sent = carrying(about, header + 8, { from: stranger, to: client, kind: { type, code: 0 } });
    for (const hook of ['ingress', 'egress'] as const) {
      expect(datapath[hook](sent)).toMatchObject({ verdict: 'next', packet: octetsOf(sent) });
    }
  });
});

describe.each([
  ['IPv4', V4, 5],
  ['IPv6', V6, 137],
] as const)('a redirect over %s', (family, { client, clusterIP, endpoint, node, stranger }, type) => {
  test('about a reply of a translated flow is dropped by that name, unchanged', () => {
    datapath.program(servicePort(family === 'IPv4' ? V4 : V6, 'TCP'));
    datapath.ingress(segment('TCP', { source: client, sourcePort: CLIENT_PORT, destination: clusterIP, destinationPort: PORT }));
    const reply = segment('TCP', {
      source: endpoint,
      sourcePort: TARGET_PORT,
      destination: client,
      destinationPort: CLIENT_PORT,
    });
    const quoted = ipOctets(reply);
    const targets = ipOctets(segment('UDP', { source: stranger, destination: client, sourcePort: 1, destinationPort: 1 }));
    // RFC 4861 section 4.6.3; quoted octets are a multiple of eight but for four.
    const option = [4, (8 + quoted.length + 4) / 8, 0, 0, 0, 0, 0, 0];
    const payload = family === 'IPv4' ? quoted : Uint8Array.from([...targets.subarray(8, 40), ...option, ...quoted, 0, 0, 0, 0]);
    const sent = icmp({ source: node, destination: endpoint, type, code: family === 'IPv4' ? 1 : 0, payload });
    const counted = datapath.counted(() => {
      expect(datapath.egress(sent)).toMatchObject({ verdict: 'drop', packet: octetsOf(sent) });
    });
    expect(counted).toEqual({ drop_icmp_redirect: 1 });
  });
});
