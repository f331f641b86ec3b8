// Fragments: the first has the ports, the others follow it to the same endpoint.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { endpoint, FAMILIES, NODE_PORT, PORT, portsOf, segment, servicePort, TARGET_PORT } from './cluster.ts';
import { Datapath } from './datapath.ts';
import {
  type Ends,
  FIRST_PAYLOAD,
  firstFragment as first,
  fragmentOf,
  fromEndpoint,
  laterFragment as later,
  REST,
  toService,
} from './fragment-packets.ts';
import { changed, SCTP_CHUNK, sctp, udp } from './packet/packet.ts';
import { readPacket } from './packet/read-packet.ts';
import './packet/to-be-packet.ts';
import { checksumField, octetsOf, PROTOCOL } from './packet/write-packet.ts';

let datapath: Datapath;
beforeAll(async () => {
  datapath = await Datapath.load();
});
beforeEach(() => datapath.forgetFlows());
afterAll(() => datapath.close());

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

  test('a later fragment of another datagram, client or protocol is not taken for this one', () => {
    datapath.program(servicePort(addresses, 'UDP'));
    datapath.ingress(first(asked, 7));
    const others = [later(asked, 8), later({ ...asked, source: addresses.stranger }, 7)];
    // In IPv6 an id is the address pair's, whatever the protocol.
    if (addresses.family === 'IPv4') others.push(later(asked, 7, { protocol: PROTOCOL.tcp }));
    for (const other of others) expect(datapath.ingress(other).packet).toEqual(octetsOf(other));
  });

  test('fragments to no Service pass unchanged', () => {
    datapath.program(servicePort(addresses, 'UDP'));
    const elsewhere = { ...asked, destination: addresses.stranger };
    for (const packet of [first(elsewhere, 7, 0x1234), later(elsewhere, 7)]) {
      expect(datapath.ingress(packet).packet).toBePacket(packet);
      expect(datapath.egress(packet).packet).toBePacket(packet);
    }
  });

  test('datagrams of others make no row', () => {
    datapath.program(servicePort(addresses, 'UDP'));
    datapath.ingress(first(asked, 7));
    datapath.egress(first(fromEndpoint(addresses), 9));
    const rows = datapath.map('fragments').keys().length;
    expect(rows).toBe(2);
    for (let id = 0; id < 100; id++) {
      datapath.ingress(first({ ...asked, destination: addresses.stranger }, id));
      datapath.ingress(later({ ...asked, destination: addresses.stranger }, id));
      datapath.egress(first({ ...asked, destination: addresses.stranger }, id));
      datapath.egress(later(asked, id));
    }
    expect(datapath.map('fragments').keys().length).toBe(rows);
  });

  test('of two first fragments with one id the last says where the rest goes', () => {
    const other = { ...servicePort(addresses, 'UDP', { name: 'other' }), key: 'other', port: PORT + 1, nodePort: NODE_PORT + 1 };
    datapath.program(servicePort(addresses, 'UDP'), {
      ...other,
      clusterEndpoints: [endpoint(addresses.otherEndpoint)],
    });
    datapath.ingress(first(asked, 7));
    datapath.ingress(first({ ...asked, destinationPort: PORT + 1 }, 7));
    expect(datapath.ingress(later(asked, 7)).packet).toBePacket(
      changed(later(asked, 7), { destination: addresses.otherEndpoint }),
    );
  });

  test('a refused datagram is answered once: what follows the first fragment is dropped by that name', () => {
    datapath.program(servicePort(addresses, 'UDP'));
    const refused = { ...asked, destinationPort: PORT + 1 };
    const counted = datapath.counted(() => {
      expect(datapath.ingress(first(refused, 7)).verdict).toBe('redirect');
      expect(datapath.ingress(later(refused, 7)).verdict).toBe('drop');
    });
    expect(counted).toEqual({ reject_sent: 1, drop_fragment: 1 });
  });

  test("a datagram of the node's own leaves by another port where a flow of ours has its own, in fragments too", () => {
    datapath.program(servicePort(addresses, 'UDP'));
    const arrived = datapath.ingress(udp({ ...asked, destination: addresses.node, destinationPort: NODE_PORT }));
    const { sourcePort } = portsOf(readPacket(datapath.egress(arrived.packet, arrived.mark).packet));
    const own = { source: addresses.node, sourcePort, destination: addresses.endpoint, destinationPort: TARGET_PORT };
    const counted = datapath.counted(() => {
      const given = new DataView(datapath.egress(first(own, 7)).packet.buffer).getUint16(addresses.family === 'IPv4' ? 34 : 62);
      expect(given).not.toBe(sourcePort);
      expect(datapath.egress(later(own, 7))).toMatchObject({ verdict: 'next', packet: octetsOf(later(own, 7)) });
    });
    expect(counted).toEqual({ snat_allocated: 1, flow_guarded: 1 });
  });

  test('a datagram to an address of a ServiceCIDR that no Service has ends here, all of it', () => {
    datapath.program(servicePort(addresses, 'UDP'));
    datapath.serviceCidrs(addresses.family === 'IPv4' ? '10.96.0.0/16' : 'fd00:96::/112');
    const nobody = { ...asked, destination: addresses.family === 'IPv4' ? '10.96.0.99' : 'fd00:96::99' };
    const counted = datapath.counted(() => {
      expect(datapath.ingress(first(nobody, 7)).verdict).toBe('drop');
      expect(datapath.ingress(later(nobody, 7)).verdict).toBe('drop');
      expect(datapath.ingress(later(nobody, 8)).verdict).toBe('drop');
    });
    datapath.serviceCidrs();
    expect(counted).toEqual({ drop_unallocated: 2, fragment_held: 1 });
  });

  describe('a first fragment of TCP that is cut before the end of its header', () => {
    const cut = (destination: string) => {
      const ends = { ...asked, destination };
      const whole = octetsOf(segment('TCP', { ...ends, ip: fragmentOf(ends, 7, 0, true) }));
      return { octets: whole.slice(0, whole.length - 12), rest: later(ends, 7, { protocol: PROTOCOL.tcp, offset: 8 }) };
    };

    test('is dropped on the way to a Service, and the rest never gets there', () => {
      datapath.program(servicePort(addresses, 'TCP'));
      for (const destination of [addresses.clusterIP, addresses.externalIP, addresses.loadBalancerIP]) {
        const { octets, rest } = cut(destination);
        const counted = datapath.counted(() => {
          expect(datapath.ingress(octets)).toEqual({ verdict: 'drop', packet: octets, mark: 0 });
          expect(datapath.ingress(rest).verdict).toBe('drop');
        });
        expect(counted).toEqual({ drop_fragment: 1, fragment_held: 1 });
      }
    });

    test('passes unchanged to the node and to others, and so does the rest', () => {
      datapath.program(servicePort(addresses, 'TCP'));
      for (const destination of [addresses.node, addresses.stranger]) {
        const { octets, rest } = cut(destination);
        expect(datapath.ingress(octets)).toEqual({ verdict: 'next', packet: octets, mark: 0 });
        expect(datapath.ingress(rest)).toEqual({ verdict: 'next', packet: octetsOf(rest), mark: 0 });
      }
    });
  });
});

describe('IPv6 headers', () => {
  const [, { addresses }] = FAMILIES as [unknown, (typeof FAMILIES)[number]];
  const asked = toService(addresses);
  const options = { kind: 'destinationOptions', data: new Uint8Array(6) } as const;
  const fragment = (offset: number, moreFragments: boolean) => ({ kind: 'fragment', id: 7, offset, moreFragments }) as const;

  test('of a datagram that is its own only fragment change nothing', () => {
    datapath.program(servicePort(addresses, 'UDP'));
    const atomic = udp({ ...asked, ip: { extensions: [fragment(0, false)] } });
    const counted = datapath.counted(() =>
      expect(datapath.ingress(atomic).packet).toBePacket(
        changed(atomic, { destination: addresses.endpoint, destinationPort: TARGET_PORT }),
      ),
    );
    expect(counted).toMatchObject({ flow_new: 1 });
    expect(datapath.map('fragments').keys()).toEqual([]);
  });

  test.each([
    ['before the fragment header', [options], []],
    ['behind the fragment header', [], [options]],
    ['on both sides', [options], [options]],
  ])('%s do not hide the ports, and the rest is not read for headers', (_, before, inside) => {
    datapath.program(servicePort(addresses, 'UDP'));
    const payload = new Uint8Array(FIRST_PAYLOAD);
    const sent = udp({
      ...{ ...asked, payload, length: 8 + FIRST_PAYLOAD + REST, checksum: 0x1234 },
      ip: { extensions: [...before, fragment(0, true), ...inside] },
    });
    datapath.ingress(udp({ ...asked }));
    const { packet } = datapath.ingress(sent);
    expect(packet.slice(38, 54)).toEqual(octetsOf(changed(sent, { destination: addresses.endpoint })).slice(38, 54));
    const rest = later({ ...asked }, 7, { protocol: inside.length > 0 ? PROTOCOL.destinationOptions : PROTOCOL.udp });
    const behind = { ...rest, ip: { ...rest.ip, extensions: [...before, fragment(8 + FIRST_PAYLOAD, false)] } } as typeof rest;
    expect(datapath.ingress(behind).packet).toBePacket(changed(behind, { destination: addresses.endpoint }));
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
  const laterData = later(asked, 7, { protocol: PROTOCOL.sctp });

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
