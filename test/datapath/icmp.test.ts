// ICMP errors about translated flows reach the end that they are for, in words that it knows.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  CASES,
  CLIENT_PORT,
  endpoint,
  FAMILIES,
  PORT,
  portsOf,
  segment,
  servicePort,
  TARGET_PORT,
  type Transport,
  V4,
} from './cluster.ts';
import { Datapath } from './datapath.ts';
import { type Change, changed, icmp, OTHER_MAC, type Packet, raw } from './packet/packet.ts';
import { readPacket } from './packet/read-packet.ts';
import './packet/to-be-packet.ts';
import { checksumField, ipOctets, joined, macOctets, octetsOf, PROTOCOL } from './packet/write-packet.ts';

let datapath: Datapath;
beforeAll(async () => {
  datapath = await Datapath.load();
});
beforeEach(() => datapath.forgetFlows());
afterAll(() => datapath.close());

const QUOTED_L4 = 8;

/** An error of `from` to `to` about a packet: its IP header and eight octets. `before` keeps the inner checksum of that packet. */
function errorAbout(about: Packet, { from, to, before = about }: { from: string; to: string; before?: Packet }): Packet {
  const inner = { ...about, l4: { ...about.l4, checksum: checksumField(before) } } as Packet;
  const [header, code] = about.ip.version === 4 ? [20, { type: 3, code: 4 }] : [40, { type: 2, code: 0 }];
  return icmp({
    ...{ source: from, destination: to, ...code, rest: 1400 },
    payload: ipOctets(inner).slice(0, header + QUOTED_L4),
  });
}

describe.each(CASES)('an error about a flow over $title', ({ addresses, transport }) => {
  const { client, clusterIP, endpoint, externalIP, node, stranger: router } = addresses;
  const packet = (source: string, sourcePort: number, destination: string, destinationPort: number): Packet =>
    segment(transport, { source, sourcePort, destination, destinationPort });
  /** A masqueraded flow to the external IP; the port of this node that the endpoint sees. */
  const masquerade = (): number => {
    const arrived = datapath.ingress(packet(client, CLIENT_PORT, externalIP, PORT));
    return portsOf(readPacket(datapath.egress(arrived.packet, arrived.mark).packet)).sourcePort;
  };
  const expectTranslated = (hook: 'ingress' | 'egress', sent: Packet, expected: Packet): void => {
    const counted = datapath.counted(() => {
      const { verdict, packet: received } = datapath[hook](sent);
      expect(verdict).toBe('next');
      expect(received).toBePacket(expected);
    });
    expect(counted).toEqual({ icmp_translated: 1 });
  };

  test("of a router on the way to the endpoint names the address that the client asked, and stays the router's", () => {
    datapath.program(servicePort(addresses, transport));
    datapath.ingress(packet(client, CLIENT_PORT, clusterIP, PORT));
    const about = packet(client, CLIENT_PORT, endpoint, TARGET_PORT);
    const asked = changed(about, { destination: clusterIP, destinationPort: PORT });
    expectTranslated(
      'egress',
      errorAbout(about, { from: router, to: client }),
      errorAbout(asked, { from: router, to: client, before: about }),
    );
  });

  test('of the endpoint comes from the address that the client asked', () => {
    datapath.program(servicePort(addresses, transport));
    datapath.ingress(packet(client, CLIENT_PORT, clusterIP, PORT));
    const about = packet(client, CLIENT_PORT, endpoint, TARGET_PORT);
    const asked = changed(about, { destination: clusterIP, destinationPort: PORT });
    expectTranslated(
      'egress',
      errorAbout(about, { from: endpoint, to: client }),
      errorAbout(asked, { from: clusterIP, to: client, before: about }),
    );
  });

  test('of the client about a reply reaches the endpoint and is about the reply that this one sent', () => {
    datapath.program(servicePort(addresses, transport));
    datapath.ingress(packet(client, CLIENT_PORT, clusterIP, PORT));
    const about = packet(clusterIP, PORT, client, CLIENT_PORT);
    const replied = changed(about, { source: endpoint, sourcePort: TARGET_PORT });
    expectTranslated(
      'ingress',
      errorAbout(about, { from: client, to: clusterIP }),
      errorAbout(replied, { from: client, to: endpoint, before: about }),
    );
  });

  test('that is masqueraded finds its way from a router to the client, by both hooks', () => {
    datapath.program(servicePort(addresses, transport));
    const port = masquerade();
    const about = packet(node, port, endpoint, TARGET_PORT);
    const inside = changed(about, { source: client, sourcePort: CLIENT_PORT });
    const asked = changed(inside, { destination: externalIP, destinationPort: PORT });
    const between = errorAbout(inside, { from: router, to: client, before: about });
    expectTranslated('ingress', errorAbout(about, { from: router, to: node }), between);
    expectTranslated('egress', between, errorAbout(asked, { from: router, to: client, before: about }));
  });

  test('that is masqueraded finds its way from the client to the endpoint, by both hooks', () => {
    datapath.program(servicePort(addresses, transport));
    const port = masquerade();
    const about = packet(externalIP, PORT, client, CLIENT_PORT);
    const inside = changed(about, { source: endpoint, sourcePort: TARGET_PORT });
    const replied = changed(inside, { destination: node, destinationPort: port });
    const between = errorAbout(inside, { from: client, to: endpoint, before: about });
    expectTranslated('ingress', errorAbout(about, { from: client, to: externalIP }), between);
    expectTranslated('egress', between, errorAbout(replied, { from: node, to: endpoint, before: about }));
  });

  // As conntrack does it: the endpoint's side may have no way to the router, and would drop what comes from there (rp_filter).
  test("of a router on the masqueraded client's side comes to the endpoint from this node", () => {
    datapath.program(servicePort(addresses, transport));
    const port = masquerade();
    const about = packet(externalIP, PORT, client, CLIENT_PORT);
    const inside = changed(about, { source: endpoint, sourcePort: TARGET_PORT });
    const replied = changed(inside, { destination: node, destinationPort: port });
    const between = errorAbout(inside, { from: router, to: endpoint, before: about });
    expectTranslated('ingress', errorAbout(about, { from: router, to: externalIP }), between);
    expectTranslated('egress', between, errorAbout(replied, { from: node, to: endpoint, before: about }));
  });

  test.each<[string, Change]>([
    ['another port', { sourcePort: CLIENT_PORT + 1 }],
    ['another client', { source: router }],
    ['another endpoint', { destination: addresses.otherEndpoint }],
  ])('about %s passes unchanged', (_, change) => {
    datapath.program(servicePort(addresses, transport));
    datapath.ingress(packet(client, CLIENT_PORT, clusterIP, PORT));
    const sent = errorAbout(changed(packet(client, CLIENT_PORT, endpoint, TARGET_PORT), change), { from: router, to: client });
    for (const hook of ['ingress', 'egress'] as const) expect(datapath[hook](sent).packet).toBePacket(sent);
  });

  test('that is for another station passes unchanged', () => {
    datapath.program(servicePort(addresses, transport));
    datapath.ingress(packet(client, CLIENT_PORT, clusterIP, PORT));
    const error = errorAbout(packet(clusterIP, PORT, client, CLIENT_PORT), { from: client, to: clusterIP });
    const sent = changed(error, { destinationMac: OTHER_MAC });
    expect(datapath.ingress(sent)).toMatchObject({ verdict: 'next', packet: octetsOf(sent) });
  });

  test("that names the other family's ICMP as its protocol passes unchanged", () => {
    datapath.program(servicePort(addresses, transport));
    datapath.ingress(packet(client, CLIENT_PORT, clusterIP, PORT));
    const error = octetsOf(errorAbout(packet(client, CLIENT_PORT, endpoint, TARGET_PORT), { from: router, to: client }));
    const [at, protocol] = addresses.family === 'IPv4' ? [14 + 20, PROTOCOL.icmpv6] : [14 + 40, PROTOCOL.icmp];
    const sent = raw({ source: router, destination: client, protocol, payload: error.slice(at) });
    expect(datapath.egress(sent)).toMatchObject({ verdict: 'next', packet: octetsOf(sent) });
  });

  test('about what is no IP packet passes unchanged', () => {
    datapath.program(servicePort(addresses, transport));
    datapath.ingress(packet(client, CLIENT_PORT, clusterIP, PORT));
    const isV4 = addresses.family === 'IPv4';
    const octets = octetsOf(errorAbout(packet(client, CLIENT_PORT, endpoint, TARGET_PORT), { from: router, to: client }));
    const inner = 14 + (isV4 ? 20 : 40) + 8;
    for (const version of [0, 5, isV4 ? 6 : 4, 15]) {
      const sent = octets.slice();
      sent[inner] = (sent[inner]! & 0x0f) | (version << 4);
      expect(datapath.egress(sent)).toMatchObject({ verdict: 'next', packet: sent });
    }
  });

  test('that is cut in the packet it is about passes unchanged', () => {
    datapath.program(servicePort(addresses, transport));
    datapath.ingress(packet(client, CLIENT_PORT, clusterIP, PORT));
    const octets = octetsOf(errorAbout(packet(client, CLIENT_PORT, endpoint, TARGET_PORT), { from: router, to: client }));
    for (let cut = QUOTED_L4 - 3; cut < QUOTED_L4 + 20; cut++) {
      const sent = octets.slice(0, octets.length - cut);
      const { verdict, packet: received } = datapath.egress(sent);
      expect([verdict, Buffer.from(received)]).toEqual(['next', Buffer.from(sent)]);
    }
  });
});

test('an error about an IPv4 header that claims four words is not about the ports that its last word would be', () => {
  const [portA, portB] = [0x0af4, 0x0114]; // 10.244 and 1.20: the endpoint's address read as ports
  datapath.program(servicePort(V4, 'UDP', { port: portB, clusterEndpoints: [endpoint(V4.endpoint, portB)] }));
  datapath.ingress(segment('UDP', { source: V4.client, sourcePort: portA, destination: V4.clusterIP, destinationPort: portB }));
  const about = segment('UDP', { source: V4.client, sourcePort: portA, destination: V4.endpoint, destinationPort: portB });
  const sent = octetsOf(errorAbout(about, { from: V4.stranger, to: V4.client }));
  sent[14 + 20 + 8] = 0x44;
  expect(datapath.egress(sent)).toMatchObject({ verdict: 'next', packet: sent });
});

describe.each(FAMILIES)('a redirect over $title', ({ addresses }) => {
  const { client, clusterIP, endpoint, node, stranger } = addresses;

  /** "Send this to `stranger` instead": in IPv6 with the packet as an option, behind the link-layer address of the target. */
  const redirect = (about: Packet): Packet => {
    const quoted = ipOctets(about);
    if (about.ip.version === 4) return icmp({ source: node, destination: client, type: 5, code: 1, payload: quoted });
    const addressesOf = ipOctets(segment('UDP', { source: stranger, destination: endpoint, sourcePort: 1, destinationPort: 1 }));
    const linkLayer = joined(Uint8Array.of(2, 1), macOctets('02:00:00:00:00:07'));
    const padding = new Uint8Array((8 - (quoted.length % 8)) % 8);
    const header = Uint8Array.of(4, (8 + quoted.length + padding.length) / 8, 0, 0, 0, 0, 0, 0);
    const payload = joined(addressesOf.slice(8, 40), linkLayer, header, quoted, padding);
    return icmp({ source: node, destination: client, type: 137, code: 0, payload });
  };
  const ends = (transport: Transport, destination: string) =>
    segment(transport, { source: client, destination, sourcePort: CLIENT_PORT, destinationPort: TARGET_PORT });

  beforeEach(() => {
    datapath.program(servicePort(addresses, 'TCP'));
    datapath.ingress(segment('TCP', { source: client, destination: clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT }));
  });

  test('about a translated flow is dropped by that name, unchanged', () => {
    const sent = redirect(ends('TCP', endpoint));
    const counted = datapath.counted(() => {
      expect(datapath.egress(sent)).toMatchObject({ verdict: 'drop', packet: octetsOf(sent) });
    });
    expect(counted).toEqual({ drop_icmp_redirect: 1 });
  });

  test('about anything else passes unchanged', () => {
    for (const about of [ends('TCP', stranger), ends('UDP', endpoint)]) {
      const sent = redirect(about);
      expect(datapath.egress(sent)).toMatchObject({ verdict: 'next', packet: octetsOf(sent) });
    }
  });
});
