// The plain path: destinations are translated on the way in, sources on the way out.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  CASES,
  CLIENT_PORT,
  endpoint,
  frontendsOf,
  PORT,
  portsOf,
  segment,
  servicePort,
  TARGET_PORT,
  V4,
  V6,
} from './cluster.ts';
import { Datapath } from './datapath.ts';
import { changed, type Packet, tcp, text, udp } from './packet/packet.ts';
import { readPacket } from './packet/read-packet.ts';
import './packet/to-be-packet.ts';

let datapath: Datapath;
beforeAll(async () => {
  datapath = await Datapath.load();
});
beforeEach(() => datapath.forgetFlows());
afterAll(() => datapath.close());

describe.each(CASES)('over $title', ({ addresses, transport }) => {
  const { client, clusterIP } = addresses;
  const toService = (fields = {}): Packet =>
    segment(transport, { source: client, destination: clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT, ...fields });
  const reply = (fields = {}): Packet =>
    segment(transport, {
      source: addresses.endpoint,
      destination: client,
      sourcePort: TARGET_PORT,
      destinationPort: CLIENT_PORT,
      flags: 'SA',
      ...fields,
    });

  test.each(frontendsOf(addresses))('a first packet to the $kind goes to the endpoint, with nothing else changed', (frontend) => {
    datapath.program(servicePort(addresses, transport));
    const sent = toService({ destination: frontend.address, destinationPort: frontend.port });
    const { verdict, packet } = datapath.ingress(sent);
    expect(verdict).toBe('next');
    expect(packet).toBePacket(changed(sent, { destination: addresses.endpoint, destinationPort: TARGET_PORT }));
  });

  test('the reply leaves with the address that the client asked', () => {
    datapath.program(servicePort(addresses, transport));
    datapath.ingress(toService());
    const { verdict, packet } = datapath.egress(reply());
    expect(verdict).toBe('next');
    expect(packet).toBePacket(changed(reply(), { source: clusterIP, sourcePort: PORT }));
  });

  test('what leaves from the endpoint to somebody else stays as it is', () => {
    datapath.program(servicePort(addresses, transport));
    datapath.ingress(toService());
    for (const other of [reply({ destinationPort: CLIENT_PORT + 1 }), reply({ destination: addresses.stranger })]) {
      expect(datapath.egress(other).packet).toBePacket(other);
    }
  });

  test('later packets of a flow keep its endpoint while the Service gets others', () => {
    const others = Array.from({ length: 20 }, (_, i) => endpoint(addresses.otherEndpoint, 9000 + i));
    datapath.program(servicePort(addresses, transport));
    datapath.ingress(toService());
    datapath.egress(reply());
    datapath.program(servicePort(addresses, transport, { clusterEndpoints: [endpoint(addresses.endpoint), ...others] }));
    for (let i = 0; i < 10; i++) {
      const later = toService({ flags: 'PA', payload: text(`message ${i}`) });
      const { packet } = datapath.ingress(later);
      expect(packet).toBePacket(changed(later, { destination: addresses.endpoint, destinationPort: TARGET_PORT }));
    }
  });

  test('a flow is counted once, for the datapath and for its Service', () => {
    datapath.program(servicePort(addresses, transport, { name: 'counted' }));
    const counted = datapath.counted(() => {
      datapath.ingress(toService());
      datapath.egress(reply());
      datapath.ingress(toService({ flags: 'A' }));
    });
    expect(counted).toEqual({ flow_new: 1 });
    const [serviceId] = [...datapath.tables.names()].find(([, { name }]) => name === 'counted')!;
    expect(datapath.tables.serviceStats(serviceId)).toMatchObject({ connections: 1n, rejects: 0n });
  });

  test('flows are spread over all endpoints', () => {
    const clusterEndpoints = [1, 2, 3, 4].map((i) => endpoint(addresses.endpoint, 8000 + i));
    datapath.program(servicePort(addresses, transport, { clusterEndpoints }));
    const chosen = new Map<number, number>();
    for (let i = 0; i < 200; i++) {
      const { packet } = datapath.ingress(toService({ sourcePort: CLIENT_PORT + i }));
      const { destinationPort } = portsOf(readPacket(packet));
      chosen.set(destinationPort, (chosen.get(destinationPort) ?? 0) + 1);
    }
    expect([...chosen.keys()].sort()).toEqual([8001, 8002, 8003, 8004]);
    expect(Math.min(...chosen.values())).toBeGreaterThan(10); // 50 each are expected; so few never happen by chance
  });

  test('a flow that meets another one at the endpoint gets another port in between, and its client never sees it', () => {
    datapath.program(servicePort(addresses, transport));
    datapath.ingress(toService());
    const second = toService({ destination: addresses.externalIP });
    const translated = readPacket(datapath.ingress(second).packet);
    const { sourcePort } = portsOf(translated);
    expect(sourcePort).toBeGreaterThanOrEqual(10240);
    expect(sourcePort).toBeLessThanOrEqual(29999);
    expect(translated).toBePacket(changed(second, { destination: addresses.endpoint, destinationPort: TARGET_PORT, sourcePort }));
    const answer = reply({ destinationPort: sourcePort });
    expect(datapath.egress(answer).packet).toBePacket(
      changed(answer, { source: addresses.externalIP, sourcePort: PORT, destinationPort: CLIENT_PORT }),
    );
  });
});

describe('a translation leaves alone', () => {
  test('TTL, TOS, flags, identification and options of IPv4, and options of TCP', () => {
    datapath.program(servicePort(V4, 'TCP'));
    const sent = tcp({
      ...{ source: V4.client, destination: V4.clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT },
      options: Uint8Array.of(2, 4, 5, 0xb4, 4, 2, 1, 1),
      ip: { ttl: 3, tos: 0xb8, id: 0xbeef, dontFragment: true, options: Uint8Array.of(148, 4, 0, 0) },
    });
    const { packet } = datapath.ingress(sent);
    expect(packet).toBePacket(changed(sent, { destination: V4.endpoint, destinationPort: TARGET_PORT }));
  });

  test('hop limit, traffic class, flow label and extension headers of IPv6', () => {
    datapath.program(servicePort(V6, 'UDP'));
    const sent = udp({
      ...{ source: V6.client, destination: V6.clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT },
      ip: {
        hopLimit: 1,
        trafficClass: 0xb8,
        flowLabel: 0xabcde,
        extensions: [
          { kind: 'hopByHop', data: Uint8Array.of(5, 2, 0, 0, 1, 0) },
          { kind: 'destinationOptions', data: Uint8Array.of(1, 4, 0, 0, 0, 0) },
        ],
      },
    });
    const { packet } = datapath.ingress(sent);
    expect(packet).toBePacket(changed(sent, { destination: V6.endpoint, destinationPort: TARGET_PORT }));
  });
});
