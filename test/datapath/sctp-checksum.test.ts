// SCTP's CRC32c follows the ports, over any length and without a look at the payload. The CRC here is made octet by octet.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CLIENT_PORT, endpoint, FAMILIES, PORT, portsOf, TARGET_PORT } from './cluster.ts';
import { Datapath } from './datapath.ts';
import { numbers } from './numbers.ts';
import { changed, type Packet, SCTP_CHUNK } from './packet/packet.ts';
import { readPacket } from './packet/read-packet.ts';
import './packet/to-be-packet.ts';
import { checksumField, octetsOf } from './packet/write-packet.ts';
import { fromEndpoint, service, toService } from './sctp-ends.ts';

let datapath: Datapath;
beforeAll(async () => {
  datapath = await Datapath.load();
});
beforeEach(() => datapath.forgetFlows());
afterAll(() => datapath.close());

const LONGEST = 1480 - 16; // of a payload in a frame of 1500 octets of IPv4
const { INIT, INIT_ACK } = SCTP_CHUNK;

describe.each(FAMILIES)('the CRC over $title', ({ addresses }) => {
  const samePort = service(addresses, { clusterEndpoints: [endpoint(addresses.endpoint, PORT)] });
  const payloads = numbers(9260);
  const payloadOf = (length: number): Uint8Array => Uint8Array.from({ length }, () => payloads(256));

  /** To the external IP by both hooks, and the answer back by both; as the four packets should be and as they are. */
  function expectRight(clientPort: number, payload: Uint8Array, chunk: number = INIT): void {
    const asked = toService(addresses, { destination: addresses.externalIP, sourcePort: clientPort, chunk, payload });
    const arrived = datapath.ingress(asked);
    expect(arrived.packet).toBePacket(changed(asked, { destination: addresses.endpoint, destinationPort: TARGET_PORT }));
    const left = datapath.egress(arrived.packet, arrived.mark);
    const { sourcePort } = portsOf(readPacket(left.packet));
    expect(left.packet).toBePacket(changed(readPacket(arrived.packet), { source: addresses.node, sourcePort }));
    const answer = fromEndpoint(addresses, {
      destination: addresses.node,
      destinationPort: sourcePort,
      chunk: INIT_ACK,
      payload,
    });
    const returned = datapath.ingress(answer);
    expect(returned.packet).toBePacket(changed(answer, { destination: addresses.client, destinationPort: clientPort }));
    const answered = datapath.egress(returned.packet).packet;
    expect(answered).toBePacket(changed(readPacket(returned.packet), { source: addresses.externalIP, sourcePort: PORT }));
    for (const packet of [arrived.packet, left.packet, returned.packet, answered]) {
      expect(readPacket(packet).l4).not.toHaveProperty('checksum');
    }
  }

  test('is right at each hook, for every length of a packet up to 200 octets and many up to a whole frame', () => {
    datapath.program(service(addresses));
    const lengths = [
      ...Array.from({ length: 200 }, (_, length) => length),
      ...Array.from({ length: 100 }, () => payloads(LONGEST)),
      ...[1007, 1008, 1023, 1024, 1407, 1408, 1451, LONGEST - 1, LONGEST],
    ];
    // A new flow each time: all ports change in all ways.
    for (const length of lengths) {
      datapath.forgetFlows();
      expectRight(1024 + payloads(60000), payloadOf(length));
    }
  });

  test('is right for jumbo packets, as long as a test can send', () => {
    datapath.program(service(addresses));
    for (const length of [2031, 2032, 3333, 3400]) {
      datapath.forgetFlows();
      expectRight(CLIENT_PORT, payloadOf(length));
    }
  });

  // More than the kernel takes for a test run: the length stands in the IP header only, and the change is that of whole packets.
  test.each([4095, 4096, 9000, 40000, 65495])('is changed for %i octets as that of a whole packet is', (length) => {
    datapath.program(service(addresses));
    const whole = toService(addresses, { payload: payloadOf(length - 16) });
    const target = changed(whole, { destination: addresses.endpoint, destinationPort: TARGET_PORT });
    const header = addresses.family === 'IPv4' ? 20 : 40;
    const sent = octetsOf(whole).subarray(0, 14 + header + 100);
    const { packet } = datapath.ingress(sent);
    expect(Buffer.from(packet)).toEqual(Buffer.from(octetsOf(target).subarray(0, sent.length)));
  });

  test('stays as it is, with all the rest, where no port changes', () => {
    datapath.program(samePort);
    for (const checksum of [undefined, 0, 0xdeadbeef]) {
      const asked = toService(addresses, { payload: payloadOf(333), ...(checksum !== undefined && { checksum }) });
      const { packet } = datapath.ingress(asked);
      expect(packet).toBePacket(changed(asked, { destination: addresses.endpoint }));
      expect(checksumField(packet)).toBe(checksumField(asked));
    }
  });

  test('of zero stays zero on all four ways: it is filled in later', () => {
    datapath.program(service(addresses));
    const asked = toService(addresses, { destination: addresses.externalIP, checksum: 0 });
    const arrived = datapath.ingress(asked);
    expect(arrived.packet).toBePacket(changed(asked, { destination: addresses.endpoint, destinationPort: TARGET_PORT }));
    const left = datapath.egress(arrived.packet, arrived.mark);
    const { sourcePort } = portsOf(readPacket(left.packet));
    const answer = fromEndpoint(addresses, {
      destination: addresses.node,
      destinationPort: sourcePort,
      chunk: INIT_ACK,
      checksum: 0,
    });
    const returned = datapath.ingress(answer);
    expect(returned.packet).toBePacket(changed(answer, { destination: addresses.client, destinationPort: CLIENT_PORT }));
    for (const { packet } of [arrived, left, returned, datapath.egress(returned.packet)]) expect(checksumField(packet)).toBe(0);
  });

  test('that is wrong arrives wrong by the same bits', () => {
    datapath.program(service(addresses));
    const target = { destination: addresses.endpoint, destinationPort: TARGET_PORT };
    const right = checksumField(toService(addresses));
    const expected = checksumField(changed(toService(addresses), target));
    for (const error of [1, 0x80000000, 0xdeadbeef, 0xffffffff]) {
      const { packet } = datapath.ingress(toService(addresses, { checksum: (right ^ error) >>> 0 }));
      expect(checksumField(packet)).toBe((expected ^ error) >>> 0);
    }
  });

  test('covers what the IP header says is the packet, not what pads the frame', () => {
    datapath.program(service(addresses));
    const padding = [1, 2, 3, 4, 5, 6];
    const padded = (packet: Packet): Uint8Array => Uint8Array.from([...octetsOf(packet), ...padding]);
    const asked = toService(addresses);
    const { packet } = datapath.ingress(padded(asked));
    expect(packet).toBePacket(padded(changed(asked, { destination: addresses.endpoint, destinationPort: TARGET_PORT })));
  });

  test('does not cover options and extension headers', () => {
    datapath.program(service(addresses));
    const ip =
      addresses.family === 'IPv4'
        ? { options: Uint8Array.of(148, 4, 0, 0) }
        : { extensions: [{ kind: 'destinationOptions', data: Uint8Array.of(1, 4, 0, 0, 0, 0) }] as const };
    const asked = toService(addresses, { ip });
    expect(datapath.ingress(asked).packet).toBePacket(
      changed(asked, { destination: addresses.endpoint, destinationPort: TARGET_PORT }),
    );
  });

  test('cannot be mended where the IP header leaves no room for a packet: it is dropped by that name', () => {
    datapath.program(service(addresses));
    const ip = addresses.family === 'IPv4' ? { totalLength: 20 + 15 } : { payloadLength: 15 };
    const asked = toService(addresses, { ip });
    const counted = datapath.counted(() => expect(datapath.ingress(asked).verdict).toBe('drop'));
    expect(counted).toEqual({ flow_new: 1, drop_rewrite_failed: 1 });
  });
});
