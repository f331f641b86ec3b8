// Masquerading: decided at ingress by a mark, resolved at egress with an address and a port of this node.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  CASES,
  CLIENT_PORT,
  endpoint,
  externalFrontendsOf,
  PORT,
  portsOf,
  segment,
  servicePort,
  TARGET_PORT,
} from './cluster.ts';
import { Datapath } from './datapath.ts';
import { changed, type Packet } from './packet/packet.ts';
import { readPacket } from './packet/read-packet.ts';
import './packet/to-be-packet.ts';

const MARK = 0x4000;
const FOREIGN_MARK = 0x10003;
const RANGE = { min: 15000, max: 15099 };
const FLAGS = { 'ebpf-snat-port-range': `${RANGE.min}-${RANGE.max}` };

let datapath: Datapath;
let withoutSource: Datapath;
let withOnePort: Datapath;
beforeAll(async () => {
  datapath = await Datapath.load({ flags: FLAGS });
  withoutSource = await Datapath.load({ sources: { v4: '', v6: '' } });
  withOnePort = await Datapath.load({ variables: { snatPortMin: RANGE.min, snatPortMax: RANGE.min } });
});
beforeEach(() => {
  for (const loaded of [datapath, withoutSource, withOnePort]) loaded.forgetFlows();
});
afterAll(() => {
  for (const loaded of [datapath, withoutSource, withOnePort]) loaded.close();
});

describe.each(CASES)('over $title', ({ addresses, transport }) => {
  const { client, node } = addresses;
  const toService = (fields = {}): Packet =>
    segment(transport, {
      ...{ source: client, destination: addresses.externalIP, sourcePort: CLIENT_PORT, destinationPort: PORT },
      ...fields,
    });
  const toNode = (port: number): Packet =>
    segment(transport, {
      ...{ source: addresses.endpoint, destination: node, sourcePort: TARGET_PORT, destinationPort: port },
      flags: 'SA',
    });
  /** Through both hooks, as the stack between them would hand it on. */
  const forwarded = (packet: Packet, through = datapath) => {
    const arrived = through.ingress(packet);
    return { arrived, left: through.egress(arrived.packet, arrived.mark) };
  };

  test.each(externalFrontendsOf(addresses))(
    'a packet to the $kind leaves with an address and a port of this node',
    (frontend) => {
      datapath.program(servicePort(addresses, transport));
      const sent = toService({ destination: frontend.address, destinationPort: frontend.port });
      const { arrived, left } = forwarded(sent);
      expect(arrived.mark).toBe(MARK);
      expect([left.verdict, left.mark]).toEqual(['next', 0]);
      const { sourcePort } = portsOf(readPacket(left.packet));
      expect(sourcePort).toBeGreaterThanOrEqual(RANGE.min);
      expect(sourcePort).toBeLessThanOrEqual(RANGE.max);
      expect(left.packet).toBePacket(
        changed(sent, { source: node, sourcePort, destination: addresses.endpoint, destinationPort: TARGET_PORT }),
      );
    },
  );

  test('the reply goes back to the client, from the address that it asked', () => {
    datapath.program(servicePort(addresses, transport));
    const { sourcePort } = portsOf(readPacket(forwarded(toService()).left.packet));
    const reply = toNode(sourcePort);
    const { arrived, left } = forwarded(reply);
    expect(arrived.packet).toBePacket(changed(reply, { destination: client, destinationPort: CLIENT_PORT }));
    expect(left.packet).toBePacket(
      changed(reply, {
        ...{ source: addresses.externalIP, sourcePort: PORT },
        ...{ destination: client, destinationPort: CLIENT_PORT },
      }),
    );
  });

  test('later packets keep the port, and one port is counted for them all', () => {
    datapath.program(servicePort(addresses, transport));
    const ports = new Set<number>();
    const counted = datapath.counted(() => {
      for (const flags of ['S', 'A', 'PA'])
        ports.add(portsOf(readPacket(forwarded(toService({ flags })).left.packet)).sourcePort);
    });
    expect(ports.size).toBe(1);
    expect(counted).toEqual({ flow_new: 1, snat_allocated: 1 });
  });

  test("the client's own port is kept where it lies in the range", () => {
    datapath.program(servicePort(addresses, transport));
    const { left } = forwarded(toService({ sourcePort: RANGE.min + 7 }));
    expect(portsOf(readPacket(left.packet)).sourcePort).toBe(RANGE.min + 7);
  });

  test('two clients with the same port get two ports', () => {
    datapath.program(servicePort(addresses, transport));
    const ports = [client, addresses.stranger].map((source) => {
      const { left } = forwarded(toService({ source, sourcePort: RANGE.min + 7 }));
      return portsOf(readPacket(left.packet)).sourcePort;
    });
    expect(new Set(ports).size).toBe(2);
  });

  test('fifty flows to one endpoint get fifty ports, all in the range', () => {
    datapath.program(servicePort(addresses, transport));
    const ports = new Set<number>();
    for (let i = 0; i < 50; i++) {
      const { left } = forwarded(toService({ sourcePort: CLIENT_PORT + i }));
      expect(left.verdict).toBe('next');
      ports.add(portsOf(readPacket(left.packet)).sourcePort);
    }
    expect(ports.size).toBe(50);
    expect(Math.min(...ports)).toBeGreaterThanOrEqual(RANGE.min);
    expect(Math.max(...ports)).toBeLessThanOrEqual(RANGE.max);
  });

  test('marks of others pass both hooks', () => {
    datapath.program(servicePort(addresses, transport));
    const arrived = datapath.ingress(toService(), FOREIGN_MARK);
    expect(arrived.mark).toBe(FOREIGN_MARK | MARK);
    expect(datapath.egress(arrived.packet, arrived.mark).mark).toBe(FOREIGN_MARK);
  });

  test('an endpoint that asks its own Service is answered by way of this node', () => {
    datapath.program(servicePort(addresses, transport, { clusterEndpoints: [endpoint(addresses.pod)] }));
    const sent = toService({ source: addresses.pod, destination: addresses.clusterIP });
    const { left } = forwarded(sent);
    const { sourcePort } = portsOf(readPacket(left.packet));
    expect(left.packet).toBePacket(
      changed(sent, { source: node, sourcePort, destination: addresses.pod, destinationPort: TARGET_PORT }),
    );
  });

  test('an endpoint that asks its own Service from the port that it serves on is answered there', () => {
    datapath.program(servicePort(addresses, transport, { clusterEndpoints: [endpoint(addresses.pod)] }));
    const sent = toService({ source: addresses.pod, sourcePort: TARGET_PORT, destination: addresses.clusterIP });
    const { left } = forwarded(sent);
    const { sourcePort } = portsOf(readPacket(left.packet));
    const target = { source: node, sourcePort, destination: addresses.pod, destinationPort: TARGET_PORT };
    expect(left.packet).toBePacket(changed(sent, target));
    const reply = segment(transport, {
      ...{ source: addresses.pod, sourcePort: TARGET_PORT, destination: node, destinationPort: sourcePort, flags: 'SA' },
    });
    const { packet } = datapath.egress(datapath.ingress(reply).packet);
    const asked = { source: addresses.clusterIP, sourcePort: PORT, destination: addresses.pod, destinationPort: TARGET_PORT };
    expect(packet).toBePacket(changed(reply, asked));
  });

  test('without an address to masquerade with the packet is dropped by that name', () => {
    withoutSource.program(servicePort(addresses, transport));
    const arrived = withoutSource.ingress(toService());
    const counted = withoutSource.counted(() => {
      expect(withoutSource.egress(arrived.packet, arrived.mark)).toMatchObject({ verdict: 'drop', packet: arrived.packet });
    });
    expect(counted).toEqual({ drop_no_source: 1 });
  });

  test('when all ports are given out the next flow is dropped by that name, and the first one goes on', () => {
    withOnePort.program(servicePort(addresses, transport));
    const first = forwarded(toService(), withOnePort);
    expect(portsOf(readPacket(first.left.packet)).sourcePort).toBe(RANGE.min);
    const counted = withOnePort.counted(() => {
      expect(forwarded(toService({ source: addresses.stranger }), withOnePort).left.verdict).toBe('drop');
    });
    expect(counted).toEqual({ flow_new: 1, drop_snat_exhausted: 1 });
    expect(portsOf(readPacket(forwarded(toService({ flags: 'A' }), withOnePort).left.packet)).sourcePort).toBe(RANGE.min);
  });
});
