// Checksums are changed by the difference only: right stays right, wrong stays wrong, none stays none.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CASES, CLIENT_PORT, FAMILIES, PORT, portsOf, segment, servicePort, TARGET_PORT, V4 } from './cluster.ts';
import { Datapath } from './datapath.ts';
import { numbers } from './numbers.ts';
import { changed, type Packet, tcp, udp } from './packet/packet.ts';
import { readPacket } from './packet/read-packet.ts';
import './packet/to-be-packet.ts';
import { checksumField, octetsOf } from './packet/write-packet.ts';

let datapath: Datapath;
beforeAll(async () => {
  datapath = await Datapath.load();
});
beforeEach(() => datapath.forgetFlows());
afterAll(() => datapath.close());

const clientOf = (family: string, next: (bound: number) => number): string =>
  family === 'IPv4'
    ? `198.${[next(256), next(256), next(256)].join('.')}`
    : `2001:${Array.from({ length: 7 }, () => (1 + next(0xffff)).toString(16)).join(':')}`;

describe.each(CASES)('over $title', ({ addresses, transport }) => {
  test('three hundred packets of any client, port and payload have the checksum of one built anew, at each hook', () => {
    datapath.program(servicePort(addresses, transport));
    const next = numbers(20220);
    for (let i = 0; i < 300; i++) {
      const [client, clientPort] = [clientOf(addresses.family, next), 1024 + next(64512)];
      const payload = Uint8Array.from({ length: next(80) }, () => next(256));
      const asked = segment(transport, {
        ...{ source: client, destination: addresses.externalIP, sourcePort: clientPort, destinationPort: PORT },
        payload,
      });
      const arrived = datapath.ingress(asked);
      expect(arrived.packet).toBePacket(changed(asked, { destination: addresses.endpoint, destinationPort: TARGET_PORT }));
      const left = datapath.egress(arrived.packet, arrived.mark);
      const { sourcePort } = portsOf(readPacket(left.packet));
      expect(left.packet).toBePacket(changed(readPacket(arrived.packet), { source: addresses.node, sourcePort }));
      const answer = segment(transport, {
        ...{ source: addresses.endpoint, destination: addresses.node, sourcePort: TARGET_PORT, destinationPort: sourcePort },
        flags: 'SA',
        payload,
      });
      const returned = datapath.ingress(answer);
      expect(returned.packet).toBePacket(changed(answer, { destination: client, destinationPort: clientPort }));
      expect(datapath.egress(returned.packet).packet).toBePacket(
        changed(readPacket(returned.packet), { source: addresses.externalIP, sourcePort: PORT }),
      );
    }
  });
});

describe.each(CASES.filter(({ transport }) => transport !== 'SCTP'))('over $title', ({ addresses, transport }) => {
  test('a wrong layer 4 checksum arrives as wrong as it was sent', () => {
    datapath.program(servicePort(addresses, transport));
    const fields = { source: addresses.client, destination: addresses.clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT };
    const right = checksumField(octetsOf(segment(transport, fields)));
    const expected = checksumField(
      octetsOf(changed(segment(transport, fields), { destination: addresses.endpoint, destinationPort: TARGET_PORT })),
    );
    for (const error of [1, 0x100, 0x7fff, 0xfffe]) {
      const checksum = onesComplement(right + error);
      const { packet } = datapath.ingress(segment(transport, { ...fields, checksum }));
      expect(checksumField(packet)).toBe(onesComplement(expected + error));
    }
  });
});

const onesComplement = (sum: number): number => (sum > 0xffff ? (sum & 0xffff) + (sum >>> 16) : sum);

describe.each(FAMILIES)('UDP over $title', ({ addresses }) => {
  const fields = { source: addresses.client, destination: addresses.clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT };
  const target = { destination: addresses.endpoint, destinationPort: TARGET_PORT };
  const withTwoOctets = (word: number): Packet => udp({ ...fields, payload: Uint8Array.of(word >> 8, word & 0xff) });

  test('a checksum of zero stays zero on the way in and out', () => {
    datapath.program(servicePort(addresses, 'UDP'));
    const sent = udp({ ...fields, checksum: 0 });
    const { packet } = datapath.ingress(sent);
    expect(packet).toBePacket(changed(sent, target));
    const answer = udp({
      ...{ source: addresses.endpoint, destination: addresses.client, sourcePort: TARGET_PORT, destinationPort: CLIENT_PORT },
      checksum: 0,
    });
    expect(datapath.egress(answer).packet).toBePacket(changed(answer, { source: addresses.clusterIP, sourcePort: PORT }));
  });

  test('a checksum that becomes zero is written as 0xffff', () => {
    datapath.program(servicePort(addresses, 'UDP'));
    const sent = withTwoOctets(checksumField(octetsOf(changed(withTwoOctets(0), target))));
    const { packet } = datapath.ingress(sent);
    expect(checksumField(packet)).toBe(0xffff);
    expect(packet).toBePacket(changed(sent, target));
  });

  test('a checksum that was zero, written as 0xffff, becomes the right one', () => {
    datapath.program(servicePort(addresses, 'UDP'));
    const sent = withTwoOctets(checksumField(octetsOf(withTwoOctets(0))));
    expect(checksumField(octetsOf(sent))).toBe(0xffff);
    expect(datapath.ingress(sent).packet).toBePacket(changed(sent, target));
  });
});

describe('the IPv4 header checksum', () => {
  test('arrives as wrong as it was sent, while layer 4 stays right', () => {
    datapath.program(servicePort(V4, 'TCP'));
    const sent = tcp({
      ...{ source: V4.client, destination: V4.clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT },
      ip: { checksum: 0x1234 },
    });
    const arrived = readPacket(datapath.ingress(sent).packet);
    expect(arrived.ip).toHaveProperty('checksum');
    expect(arrived.l4).not.toHaveProperty('checksum');
  });
});
