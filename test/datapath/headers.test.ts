// IP headers that are longer than usual, on all four ways of a masqueraded flow: only addresses and ports change.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { IpFamily } from '../../src/state/model.ts';
import { CASES, CLIENT_PORT, PORT, portsOf, type Segment, segment, servicePort, TARGET_PORT, V6 } from './cluster.ts';
import { Datapath } from './datapath.ts';
import { changed, type Extension, type Packet, raw, tcp, udp } from './packet/packet.ts';
import { readPacket } from './packet/read-packet.ts';
import './packet/to-be-packet.ts';

const UDP = 17;

let datapath: Datapath;
beforeAll(async () => {
  datapath = await Datapath.load();
});
beforeEach(() => datapath.forgetFlows());
afterAll(() => datapath.close());

/** A header of this many octets whose only option is padding. */
const padded = (kind: 'hopByHop' | 'destinationOptions', octets: number): Extension => {
  const data = new Uint8Array(octets - 2);
  data.set([1, octets - 4]);
  return { kind, data };
};
/** RFC 8200 section 4.4, no segments left. */
const routing: Extension = { kind: 'routing', data: Uint8Array.of(0, 0, 0, 0, 0, 0) };
const noOperations = (octets: number): Uint8Array => new Uint8Array(octets).fill(1);

const HEADERS: Readonly<Record<IpFamily, readonly (readonly [string, Segment['ip']])[]>> = {
  IPv4: [
    ['one word of options', { options: Uint8Array.of(148, 4, 0, 0) }],
    ['as many options as there may be', { options: noOperations(40) }],
  ],
  IPv6: [
    ['a hop-by-hop header', { extensions: [padded('hopByHop', 8)] }],
    ['a routing header', { extensions: [routing] }],
    ['destination options', { extensions: [padded('destinationOptions', 40)] }],
    ['each of them', { extensions: [padded('hopByHop', 8), padded('destinationOptions', 16), routing] }],
  ],
};

describe.each(CASES)('over $title', ({ addresses, transport }) => {
  const { client, endpoint, externalIP, node } = addresses;

  test.each(HEADERS[addresses.family])('a flow whose packets have %s is translated on all four ways', (_, ip) => {
    datapath.program(servicePort(addresses, transport));
    const packet = (fields: Parameters<typeof segment>[1]): Packet => segment(transport, { ...fields, ip: ip! });
    const asked = packet({ source: client, destination: externalIP, sourcePort: CLIENT_PORT, destinationPort: PORT });
    const arrived = datapath.ingress(asked);
    const inside = changed(asked, { destination: endpoint, destinationPort: TARGET_PORT });
    expect(arrived.packet).toBePacket(inside);
    const left = datapath.egress(arrived.packet, arrived.mark);
    const { sourcePort } = portsOf(readPacket(left.packet));
    expect(left.packet).toBePacket(changed(inside, { source: node, sourcePort }));
    const ends = { source: endpoint, destination: node, sourcePort: TARGET_PORT, destinationPort: sourcePort };
    const answer = packet({ ...ends, flags: 'SA' });
    const returned = datapath.ingress(answer);
    const toClient = changed(answer, { destination: client, destinationPort: CLIENT_PORT });
    expect(returned.packet).toBePacket(toClient);
    expect(datapath.egress(returned.packet).packet).toBePacket(changed(toClient, { source: externalIP, sourcePort: PORT }));
    const next = packet({ source: client, destination: externalIP, sourcePort: CLIENT_PORT, destinationPort: PORT, flags: 'PA' });
    expect(datapath.ingress(next).packet).toBePacket(changed(next, { destination: endpoint, destinationPort: TARGET_PORT }));
  });
});

describe('a fragment header', () => {
  const ends = { source: V6.client, destination: V6.clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT };
  const target = { destination: V6.endpoint, destinationPort: TARGET_PORT };
  const fragment = (offset: number, moreFragments: boolean): Extension => ({ kind: 'fragment', id: 7, offset, moreFragments });
  const before = [padded('hopByHop', 8), routing];

  test('behind others is found, in the first fragment and in later ones', () => {
    datapath.program(servicePort(V6, 'UDP'));
    const first = udp({
      ...{ ...ends, payload: new Uint8Array(1232), length: 8 + 1232 + 100, checksum: 0x1234 },
      ip: { extensions: [...before, fragment(0, true)] },
    });
    const arrived = readPacket(datapath.ingress(first).packet);
    expect(arrived).toMatchObject({ ip: { destination: V6.endpoint }, l4: { destinationPort: TARGET_PORT } });
    const later = raw({
      ...{ source: V6.client, destination: V6.clusterIP, protocol: UDP, payload: new Uint8Array(100).fill(0xee) },
      ip: { extensions: [...before, fragment(1240, false)] },
    });
    expect(datapath.ingress(later).packet).toBePacket(changed(later, { destination: V6.endpoint }));
  });

  test('of a packet that is whole (offset 0, no more fragments) is one header like others', () => {
    datapath.program(servicePort(V6, 'TCP'));
    const sent = tcp({
      ...ends,
      ip: { extensions: [padded('hopByHop', 8), fragment(0, false), padded('destinationOptions', 8)] },
    });
    expect(datapath.ingress(sent).packet).toBePacket(changed(sent, target));
  });
});
