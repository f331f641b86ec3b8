// Whatever is not surely ours passes as it is: other addresses, other ports, other protocols, cut and malformed packets.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CASES, CLIENT_PORT, FAMILIES, NODE_PORT, PORT, segment, servicePort, TARGET_PORT, V4, V6 } from './cluster.ts';
import { Datapath } from './datapath.ts';
import { icmp, OTHER_MAC, type Packet, raw, text } from './packet/packet.ts';
import { octetsOf } from './packet/write-packet.ts';

let datapath: Datapath;
beforeAll(async () => {
  datapath = await Datapath.load();
  datapath.program(...CASES.map(({ addresses, transport }) => servicePort(addresses, transport)));
});
beforeEach(() => datapath.forgetFlows());
afterAll(() => datapath.close());

/** Passes both hooks byte for byte, counts nothing, leaves no flow behind. */
function expectUntouched(packet: Packet | Uint8Array): void {
  const octets = packet instanceof Uint8Array ? packet : octetsOf(packet);
  const counted = datapath.counted(() => {
    expect(datapath.ingress(octets, 7)).toEqual({ verdict: 'next', packet: octets, mark: 7 });
    expect(datapath.egress(octets, 7)).toEqual({ verdict: 'next', packet: octets, mark: 7 });
  });
  expect(counted).toEqual({});
  expect(datapath.flows()).toEqual([]);
}

describe.each(CASES)('over $title', ({ addresses, transport }) => {
  const { client, clusterIP, node, stranger } = addresses;
  const packet = (fields = {}): Packet =>
    segment(transport, { source: client, destination: clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT, ...fields });

  test.each([
    ['to an address of nobody', { destination: stranger }],
    ['to a port that the external IP does not have', { destination: addresses.externalIP, destinationPort: PORT + 1 }],
    ['to the node port at an address that is not the node', { destination: stranger, destinationPort: NODE_PORT }],
    ['to the Service port at the node', { destination: node }],
    ['from the ClusterIP', { source: clusterIP, destination: client, sourcePort: PORT, destinationPort: CLIENT_PORT }],
    ['from an endpoint without a flow', { source: addresses.endpoint, sourcePort: TARGET_PORT, destination: client }],
    ['that the network card saw but that is for another station', { ethernet: { destination: OTHER_MAC } }],
  ])('a packet %s passes unchanged', (_, fields) => expectUntouched(packet(fields)));

  test('a packet to the node port at an address of the node that does not serve node ports passes unchanged', () => {
    datapath.addNodeAddress(addresses.pod, { nodePorts: false });
    expectUntouched(packet({ destination: addresses.pod, destinationPort: NODE_PORT }));
  });

  test('a packet cut anywhere in its layer 4 header passes unchanged', () => {
    // The kernel runs no program on a frame whose IP header is cut: EINVAL.
    const octets = octetsOf(packet({ payload: new Uint8Array(0) }));
    const ipHeader = addresses.family === 'IPv4' ? 20 : 40;
    for (let length = 14 + ipHeader; length < octets.length; length++) expectUntouched(octets.subarray(0, length));
  });

  test('a packet of another IP version than its frame says passes unchanged', () => {
    for (const version of [0, 5, addresses.family === 'IPv4' ? 6 : 4, 15]) {
      const octets = octetsOf(packet());
      octets[14] = (octets[14]! & 0x0f) | (version << 4);
      expectUntouched(octets);
    }
  });

  test('a packet whose frame names another protocol passes unchanged', () => {
    for (const type of [0x0806, 0x8847, 0x0000, addresses.family === 'IPv4' ? 0x86dd : 0x0800]) {
      expectUntouched(packet({ ethernet: { type }, payload: new Uint8Array(40) }));
    }
  });
});

describe.each(FAMILIES)('over $title', ({ addresses }) => {
  const { client, clusterIP } = addresses;
  const ping = addresses.family === 'IPv4' ? 8 : 128;

  test.each([
    ['GRE', 47],
    ['ESP', 50],
    ['UDP-Lite', 136],
    ["the other family's ICMP", addresses.family === 'IPv4' ? 58 : 1],
    ['no next header', 59],
  ])('%s to a ClusterIP passes unchanged', (_, protocol) => {
    const payload = octetsOf(segment('UDP', { source: client, destination: clusterIP, sourcePort: 1, destinationPort: PORT }));
    expectUntouched(raw({ source: client, destination: clusterIP, protocol, payload: payload.subarray(34) }));
  });

  test('a ping to a ClusterIP passes unchanged', () => {
    expectUntouched(icmp({ source: client, destination: clusterIP, type: ping, code: 0, rest: 0x10001, payload: text('ping') }));
  });

  test('an ICMP header that is cut passes unchanged', () => {
    const octets = octetsOf(icmp({ source: client, destination: clusterIP, type: 3, code: 3 }));
    for (let length = octets.length - 8; length < octets.length; length++) expectUntouched(octets.subarray(0, length));
  });
});

describe('malformed', () => {
  const datagram = (fields = {}): Uint8Array =>
    octetsOf(
      segment('UDP', { source: V4.client, destination: V4.clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT, ...fields }),
    );

  test.each([0, 1, 4])('an IPv4 header that claims %i words passes unchanged', (words) => {
    const octets = datagram();
    octets[14] = 0x40 | words;
    expectUntouched(octets);
  });

  test('an IPv4 header that claims to be longer than the packet passes unchanged', () => {
    const octets = datagram({ payload: new Uint8Array(0) });
    octets[14] = 0x4f;
    expectUntouched(octets);
  });

  test.each([
    ['more than four', Array.from({ length: 5 }, () => ({ kind: 'destinationOptions', data: new Uint8Array(6) }))],
    ['longer than 512 octets', [{ kind: 'destinationOptions', data: new Uint8Array(518) }]],
  ])('IPv6 extension headers that are %s pass unchanged', (_, extensions) => {
    expectUntouched(
      segment('UDP', {
        ...{ source: V6.client, destination: V6.clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT },
        ip: { extensions: extensions as never },
      }),
    );
  });

  test('a later IPv6 fragment whose data look like an extension header in front of UDP passes unchanged', () => {
    const reply = { source: V6.endpoint, destination: V6.client, sourcePort: TARGET_PORT, destinationPort: CLIENT_PORT };
    const fragment = (offset: number) => ({ extensions: [{ kind: 'fragment', id: 7, offset, moreFragments: true }] as const });
    const asked = { source: V6.client, destination: V6.clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT };
    datapath.ingress(segment('UDP', asked));
    const first = segment('UDP', { ...reply, ip: fragment(0), payload: new Uint8Array(16), checksum: 0 });
    expect(datapath.egress(first).packet).not.toEqual(octetsOf(first));
    const payload = Uint8Array.of(17, ...new Uint8Array(23));
    const later = raw({ ...reply, protocol: 0, payload, ip: fragment(24) }); // hop-by-hop options
    expect(datapath.egress(later)).toMatchObject({ verdict: 'next', packet: octetsOf(later) });
  });

  test('an IPv6 extension header that claims to be longer than the packet passes unchanged', () => {
    const octets = octetsOf(
      segment('UDP', {
        ...{ source: V6.client, destination: V6.clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT },
        ip: { extensions: [{ kind: 'destinationOptions', data: new Uint8Array(6) }] },
      }),
    );
    octets[14 + 40 + 1] = 20;
    expectUntouched(octets);
  });
});
