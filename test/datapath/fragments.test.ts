// Fragments: the first has the ports, the others follow it to the same endpoint.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Addresses, CLIENT_PORT, endpoint, FAMILIES, PORT, servicePort, TARGET_PORT } from './cluster.ts';
import { Datapath } from './datapath.ts';
import { changed, type Packet, raw, SCTP_CHUNK, sctp, udp } from './packet/packet.ts';
import './packet/to-be-packet.ts';
import { checksumField, octetsOf } from './packet/write-packet.ts';

const UDP = 17;
const SCTP = 132;
const FIRST_PAYLOAD = 1440; // octets; with the UDP header a multiple of 8
const REST = 200;

let datapath: Datapath;
beforeAll(async () => {
  datapath = await Datapath.load();
});
beforeEach(() => datapath.forgetFlows());
afterAll(() => datapath.close());

interface Ends {
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** IP fields of one fragment of datagram `id`. */
function fragmentOf(ends: Ends, id: number, offset: number, moreFragments: boolean): object {
  if (!ends.source.includes(':')) return { id, fragmentOffset: offset, moreFragments };
  return { extensions: [{ kind: 'fragment', id, offset, moreFragments }] };
}

/** The checksum covers the whole datagram, so one fragment alone cannot show it: any number will do. */
const first = (ends: Ends, id: number, checksum: number): Packet =>
  udp({
    ...ends,
    ...{ payload: new Uint8Array(FIRST_PAYLOAD), length: 8 + FIRST_PAYLOAD + REST, checksum },
    ip: fragmentOf(ends, id, 0, true),
  });

const later = ({ source, destination, ...ports }: Ends, id: number, protocol = UDP): Packet =>
  raw({
    ...{ source, destination, protocol, payload: new Uint8Array(REST).fill(0xee) },
    ip: fragmentOf({ source, destination, ...ports }, id, 8 + FIRST_PAYLOAD, false),
  });

const toService = (addresses: Addresses): Ends => ({
  ...{ source: addresses.client, sourcePort: CLIENT_PORT },
  ...{ destination: addresses.clusterIP, destinationPort: PORT },
});
const fromEndpoint = (addresses: Addresses): Ends => ({
  ...{ source: addresses.endpoint, sourcePort: TARGET_PORT },
  ...{ destination: addresses.client, destinationPort: CLIENT_PORT },
});

describe.each(FAMILIES)('over $title', ({ addresses }) => {
  const target = { destination: addresses.endpoint, destinationPort: TARGET_PORT };
  const asked = toService(addresses);

  /** Checksum of the whole datagram, by sending it in one piece through the builder. */
  const wholeChecksum = (ends: Ends, change = {}): number => {
    const payload = new Uint8Array(FIRST_PAYLOAD + REST).fill(0xee, FIRST_PAYLOAD);
    return checksumField(changed(udp({ ...ends, payload }), change));
  };

  test('the first fragment is translated, with the checksum of the whole datagram', () => {
    datapath.program(servicePort(addresses, 'UDP'));
    const sent = first(asked, 7, wholeChecksum(asked));
    expect(datapath.ingress(sent).packet).toBePacket(changed(first(asked, 7, wholeChecksum(asked, target)), target));
  });

  test('a later fragment follows the first one, only its address changed', () => {
    datapath.program(servicePort(addresses, 'UDP'));
    datapath.ingress(first(asked, 7, 0x1234));
    const { verdict, packet } = datapath.ingress(later(asked, 7));
    expect(verdict).toBe('next');
    expect(packet).toBePacket(changed(later(asked, 7), { destination: addresses.endpoint }));
  });

  test('fragments of the reply get the address that was asked', () => {
    datapath.program(servicePort(addresses, 'UDP'));
    datapath.ingress(first(asked, 7, 0x1234));
    const reply = fromEndpoint(addresses);
    const change = { source: addresses.clusterIP, sourcePort: PORT };
    expect(datapath.egress(first(reply, 9, wholeChecksum(reply))).packet).toBePacket(
      changed(first(reply, 9, wholeChecksum(reply, change)), change),
    );
    expect(datapath.egress(later(reply, 9)).packet).toBePacket(changed(later(reply, 9), { source: addresses.clusterIP }));
  });

  test('fragments of a masqueraded datagram leave with the address of this node', () => {
    datapath.program(servicePort(addresses, 'UDP'));
    const ends = { ...asked, destination: addresses.externalIP };
    const arrived = datapath.ingress(first(ends, 7, 0x1234));
    expect(arrived.mark).toBe(0x4000);
    datapath.egress(arrived.packet, arrived.mark);
    const next = datapath.ingress(later(ends, 7));
    expect(next.mark).toBe(0x4000);
    expect(datapath.egress(next.packet, next.mark).packet).toBePacket(
      changed(later(ends, 7), { source: addresses.node, destination: addresses.endpoint }),
    );
  });

  test('a later fragment without a first one passes unchanged', () => {
    datapath.program(servicePort(addresses, 'UDP'));
    const counted = datapath.counted(() => {
      const { verdict, packet } = datapath.ingress(later(asked, 8));
      expect(verdict).toBe('next');
      expect(packet).toBePacket(later(asked, 8));
    });
    expect(counted).toEqual({});
  });

  test('a later fragment of another datagram, or of another client, is not taken for this one', () => {
    datapath.program(servicePort(addresses, 'UDP'));
    datapath.ingress(first(asked, 7, 0x1234));
    for (const other of [later(asked, 8), later({ ...asked, source: addresses.stranger }, 7)]) {
      expect(datapath.ingress(other).packet).toBePacket(other);
    }
  });

  test('fragments to no Service pass unchanged', () => {
    datapath.program(servicePort(addresses, 'UDP'));
    const elsewhere = { ...asked, destination: addresses.stranger };
    for (const packet of [first(elsewhere, 7, 0x1234), later(elsewhere, 7)]) {
      expect(datapath.ingress(packet).packet).toBePacket(packet);
      expect(datapath.egress(packet).packet).toBePacket(packet);
    }
  });
});

describe.each(FAMILIES)('of SCTP over $title', ({ addresses }) => {
  const asked = toService(addresses);
  const { source, destination, sourcePort, destinationPort } = asked;
  const ends = { source, destination, sourcePort, destinationPort };
  const firstData = sctp({
    ...{ ...ends, chunk: SCTP_CHUNK.DATA, payload: new Uint8Array(FIRST_PAYLOAD - 8), checksum: 0x12345678 },
    ip: fragmentOf(asked, 7, 0, true),
  });
  const laterData = later(asked, 7, SCTP);

  test('follow their flow where no port changes, the checksum as it was', () => {
    datapath.program(servicePort(addresses, 'SCTP', { clusterEndpoints: [endpoint(addresses.endpoint, PORT)] }));
    datapath.ingress(sctp(ends));
    const counted = datapath.counted(() => {
      for (const sent of [firstData, laterData]) {
        expect(datapath.ingress(sent).packet).toBePacket(changed(sent, { destination: addresses.endpoint }));
      }
    });
    expect(counted).toEqual({});
  });

  // The first one cannot know the CRC of all, so the whole goes: the sender makes its packets smaller by itself.
  test('are dropped by that name where ports change, all of them, unchanged', () => {
    datapath.program(servicePort(addresses, 'SCTP'));
    datapath.ingress(sctp(ends));
    for (const sent of [firstData, laterData]) {
      const counted = datapath.counted(() => {
        expect(datapath.ingress(sent)).toEqual({ verdict: 'drop', packet: octetsOf(sent), mark: 0 });
      });
      expect(counted).toEqual({ drop_rewrite_failed: 1 });
    }
  });

  test('do not begin a flow unless the first is an INIT', () => {
    datapath.program(servicePort(addresses, 'SCTP'));
    const counted = datapath.counted(() => expect(datapath.ingress(firstData).verdict).toBe('drop'));
    expect(counted).toEqual({ drop_no_flow: 1 });
  });
});
