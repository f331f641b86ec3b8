// What is refused: with an ICMP error where no endpoint exists, in silence and by name elsewhere.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type Addresses,
  CASES,
  CLIENT_PORT,
  endpoint,
  frontendsOf,
  PORT,
  segment,
  servicePort,
  type Transport,
  V4,
  V6,
} from './cluster.ts';
import { Datapath } from './datapath.ts';
import { icmp, OTHER_MAC, type Packet, PEER_MAC, text } from './packet/packet.ts';
import './packet/to-be-packet.ts';
import { octetsOf } from './packet/write-packet.ts';

let datapath: Datapath;
let limited: Datapath;
beforeAll(async () => {
  datapath = await Datapath.load({ flags: { 'ebpf-rejects-per-second': '0' } });
  limited = await Datapath.load({ flags: { 'ebpf-rejects-per-second': '3' } });
});
beforeEach(() => datapath.forgetFlows());
afterAll(() => {
  datapath.close();
  limited.close();
});

const FRAME = 14;
const QUOTED = { TCP: 20, UDP: 8, SCTP: 20 } as const;

/** Port unreachable about this packet: turned around, quoting its IP header and `octets` of what follows. */
function unreachable(about: Packet, { node, octets }: { node: string; octets: number }): Packet {
  const header = about.ip.version === 4 ? 20 + about.ip.options.length : 40;
  const code = about.ip.version === 4 ? { type: 3, code: 3 } : { type: 1, code: 4 };
  return icmp({
    ...{ source: node, destination: about.ip.source, ...code },
    ethernet: { destination: about.ethernet.source, source: about.ethernet.destination },
    ip: { ...(about.ip.version === 4 && { id: 0 }) },
    payload: octetsOf(about).subarray(FRAME, FRAME + header + octets),
  });
}

const withoutEndpoints = (addresses: Addresses, transport: Transport) =>
  servicePort(addresses, transport, { clusterEndpoints: [] });

describe.each(CASES)('over $title', ({ addresses, transport }) => {
  const toService = (fields = {}): Packet =>
    segment(transport, {
      ...{ source: addresses.client, destination: addresses.clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT },
      ...fields,
    });

  test.each(frontendsOf(addresses))('the $kind of a Service without endpoints answers port unreachable', (frontend) => {
    datapath.program(withoutEndpoints(addresses, transport));
    const sent = toService({ destination: frontend.address, destinationPort: frontend.port });
    const counted = datapath.counted(() => {
      const { verdict, packet } = datapath.ingress(sent);
      expect(verdict).toBe('redirect');
      expect(packet).toBePacket(unreachable(sent, { node: frontend.address, octets: QUOTED[transport] }));
    });
    expect(counted).toEqual({ reject_sent: 1 });
    expect(datapath.flows()).toEqual([]);
  });

  test('the answer goes to the station that sent the packet, and quotes no payload', () => {
    datapath.program(withoutEndpoints(addresses, transport));
    const sent = toService({ ethernet: { source: OTHER_MAC }, payload: text('x'.repeat(1301)) });
    const { packet } = datapath.ingress(sent);
    expect(packet).toBePacket(unreachable(sent, { node: addresses.clusterIP, octets: QUOTED[transport] }));
    expect(Buffer.from(packet.subarray(0, 6))).toEqual(Buffer.from('020000000099', 'hex'));
    expect(PEER_MAC).not.toBe(OTHER_MAC);
  });

  test('a refused connection is counted for its Service', () => {
    datapath.program(withoutEndpoints(addresses, transport));
    const [serviceId] = [...datapath.tables.names()].at(-1)!;
    const before = datapath.tables.serviceStats(serviceId);
    datapath.ingress(toService());
    expect(datapath.tables.serviceStats(serviceId)).toEqual({ ...before, rejects: before.rejects + 1n });
  });

  test('under a Local policy without local endpoints the packet is dropped in silence', () => {
    const policy = { internalTrafficPolicy: 'Local', externalTrafficPolicy: 'Local' } as const;
    datapath.program(servicePort(addresses, transport, policy));
    for (const frontend of frontendsOf(addresses)) {
      const sent = toService({ destination: frontend.address, destinationPort: frontend.port });
      const counted = datapath.counted(() => {
        expect(datapath.ingress(sent)).toEqual({ verdict: 'drop', packet: octetsOf(sent), mark: 0 });
      });
      expect(counted).toEqual({ drop_no_local_endpoint: 1 });
    }
  });

  test('once an endpoint is there the same packet goes to it', () => {
    datapath.program(withoutEndpoints(addresses, transport));
    expect(datapath.ingress(toService()).verdict).toBe('redirect');
    datapath.program(servicePort(addresses, transport, { clusterEndpoints: [endpoint(addresses.endpoint)] }));
    expect(datapath.ingress(toService()).verdict).toBe('next');
  });

  test('refusals over the limit are dropped by that name, unchanged', () => {
    limited.program(withoutEndpoints(addresses, transport));
    const verdicts = (): string[] => Array.from({ length: 8 }, () => limited.ingress(toService()).verdict);
    const counted = limited.counted(() => expect(verdicts()).toContain('drop'));
    expect(counted['reject_sent'] ?? 0).toBeLessThanOrEqual(6); // a window may end meanwhile
    expect((counted['reject_sent'] ?? 0) + counted['drop_reject_limited']!).toBe(8);
    const last = limited.ingress(toService());
    if (last.verdict === 'drop') expect(last.packet).toBePacket(toService());
  });
});

describe('an IP header with room for more', () => {
  test('is quoted with its options', () => {
    datapath.program(withoutEndpoints(V4, 'TCP'));
    const sent = segment('TCP', {
      ...{ source: V4.client, destination: V4.clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT },
      ip: { options: Uint8Array.from({ length: 40 }, () => 1) },
    });
    expect(datapath.ingress(sent).packet).toBePacket(unreachable(sent, { node: V4.clusterIP, octets: 20 }));
  });

  test('and extension headers are quoted as far as they fit; a longer chain is dropped by name', () => {
    datapath.program(withoutEndpoints(V6, 'UDP'));
    const chain = (octets: number) =>
      segment('UDP', {
        ...{ source: V6.client, destination: V6.clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT },
        ip: { extensions: [{ kind: 'destinationOptions', data: paddingOf(octets) }] },
      });
    const short = chain(16);
    expect(datapath.ingress(short).packet).toBePacket(unreachable(short, { node: V6.clusterIP, octets: 16 + 8 }));
    const long = chain(48);
    const counted = datapath.counted(() => expect(datapath.ingress(long).verdict).toBe('drop'));
    expect(counted).toEqual({ drop_rewrite_failed: 1 });
  });
});

/** What follows the two leading octets of a destination options header of this length: one PadN option. */
function paddingOf(octets: number): Uint8Array {
  const data = new Uint8Array(octets - 2);
  data.set([1, data.length - 2]);
  return data;
}
