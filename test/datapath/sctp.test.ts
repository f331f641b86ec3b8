// What SCTP has of its own: INIT begins an association, other chunks need one, ABORT and SHUTDOWN COMPLETE end it.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CLIENT_PORT, endpoint, FAMILIES, frontendsOf, PORT, portsOf, TARGET_PORT, V4 } from './cluster.ts';
import { Datapath } from './datapath.ts';
import { expire } from './expire.ts';
import { changed, icmp, type Packet, SCTP_CHUNK, sctp, text } from './packet/packet.ts';
import { readPacket } from './packet/read-packet.ts';
import './packet/to-be-packet.ts';
import { octetsOf } from './packet/write-packet.ts';
import { fromEndpoint, service, toService } from './sctp-ends.ts';

let datapath: Datapath;
let impatient: Datapath;
beforeAll(async () => {
  datapath = await Datapath.load();
  impatient = await Datapath.load({ variables: { sctpInitNs: 0n } });
});
beforeEach(() => {
  for (const loaded of [datapath, impatient]) loaded.forgetFlows();
});
afterAll(() => {
  for (const loaded of [datapath, impatient]) loaded.close();
});

const { INIT, INIT_ACK, DATA, SACK, HEARTBEAT, ABORT, SHUTDOWN, SHUTDOWN_ACK, COOKIE_ECHO, SHUTDOWN_COMPLETE } = SCTP_CHUNK;

const targetOf = (packet: Packet, through = datapath): string => readPacket(through.ingress(packet).packet).ip.destination;

describe.each(FAMILIES)('an association over $title', ({ addresses }) => {
  const moved = service(addresses, { clusterEndpoints: [endpoint(addresses.otherEndpoint)] });

  test.each([
    ['DATA', DATA],
    ['INIT ACK', INIT_ACK],
    ['SACK', SACK],
    ['HEARTBEAT', HEARTBEAT],
    ['ABORT', ABORT],
    ['SHUTDOWN', SHUTDOWN],
    ['SHUTDOWN ACK', SHUTDOWN_ACK],
    ['COOKIE ECHO', COOKIE_ECHO],
    ['SHUTDOWN COMPLETE', SHUTDOWN_COMPLETE],
    ['an unknown chunk', 255],
  ])('that nobody knows (%s) is dropped by that name at every frontend, unchanged', (_, chunk) => {
    datapath.program(service(addresses));
    for (const { address, port } of frontendsOf(addresses)) {
      const sent = toService(addresses, { chunk, destination: address, destinationPort: port });
      const counted = datapath.counted(() => {
        expect(datapath.ingress(sent)).toEqual({ verdict: 'drop', packet: octetsOf(sent), mark: 0 });
      });
      expect(counted).toEqual({ drop_no_flow: 1 });
    }
  });

  test('begins with INIT, and every later chunk of both ends finds its way', () => {
    datapath.program(service(addresses));
    const counted = datapath.counted(() => {
      for (const chunk of [INIT, COOKIE_ECHO, DATA, HEARTBEAT, SACK, SHUTDOWN, SHUTDOWN_COMPLETE]) {
        const asked = toService(addresses, { chunk, tag: 0x1234, payload: text('any') });
        expect(datapath.ingress(asked).packet).toBePacket(
          changed(asked, { destination: addresses.endpoint, destinationPort: TARGET_PORT }),
        );
        const answer = fromEndpoint(addresses, { chunk: chunk === INIT ? INIT_ACK : SACK, tag: 0x5678, payload: text('all') });
        expect(datapath.egress(answer).packet).toBePacket(changed(answer, { source: addresses.clusterIP, sourcePort: PORT }));
      }
    });
    expect(counted).toEqual({ flow_new: 1 });
  });

  test('goes on when its endpoint has left the Service, and an INIT sent again stays with it', () => {
    datapath.program(service(addresses));
    datapath.ingress(toService(addresses));
    datapath.program(moved);
    for (const chunk of [INIT, COOKIE_ECHO, DATA]) expect(targetOf(toService(addresses, { chunk }))).toBe(addresses.endpoint);
    expect(targetOf(toService(addresses, { sourcePort: CLIENT_PORT + 1 }))).toBe(addresses.otherEndpoint);
  });

  test.each([
    ['ABORT of the client', () => datapath.ingress(toService(addresses, { chunk: ABORT }))],
    ['ABORT of the endpoint', () => datapath.egress(fromEndpoint(addresses, { chunk: ABORT }))],
    ['SHUTDOWN COMPLETE of the client', () => datapath.ingress(toService(addresses, { chunk: SHUTDOWN_COMPLETE }))],
    ['SHUTDOWN COMPLETE of the endpoint', () => datapath.egress(fromEndpoint(addresses, { chunk: SHUTDOWN_COMPLETE }))],
  ])('that has ended by %s makes room for the next of the same port, at an INIT and not before', (_, end) => {
    datapath.program(service(addresses));
    datapath.ingress(toService(addresses));
    datapath.egress(fromEndpoint(addresses, { chunk: INIT_ACK }));
    datapath.ingress(toService(addresses, { chunk: COOKIE_ECHO }));
    datapath.program(moved);
    end();
    expect(targetOf(toService(addresses, { chunk: ABORT }))).toBe(addresses.endpoint);
    expect(targetOf(toService(addresses))).toBe(addresses.otherEndpoint);
    expect([datapath.flows().length, datapath.entries]).toEqual([1, 2]);
  });

  test.each([
    ['SHUTDOWN', SHUTDOWN],
    ['SHUTDOWN ACK', SHUTDOWN_ACK],
  ])('is not over by %s', (_, chunk) => {
    datapath.program(service(addresses));
    datapath.ingress(toService(addresses));
    datapath.egress(fromEndpoint(addresses, { chunk }));
    datapath.ingress(toService(addresses, { chunk }));
    datapath.program(moved);
    expect(targetOf(toService(addresses))).toBe(addresses.endpoint);
  });

  test('that nobody has answered in time starts anew with the next INIT', () => {
    impatient.program(service(addresses));
    expect(targetOf(toService(addresses), impatient)).toBe(addresses.endpoint);
    impatient.program(moved);
    // The kernel's coarse clock ticks every few milliseconds: a pass of the expiry ends the flow as soon as it has ticked.
    while (expire(impatient).inUse > 0);
    expect(targetOf(toService(addresses), impatient)).toBe(addresses.otherEndpoint);
  });

  test('to a port of the SNAT range that no flow of ours explains passes to the stack, unchanged', () => {
    for (const chunk of [INIT, DATA]) {
      const sent = toService(addresses, { destination: addresses.node, destinationPort: 23456, chunk });
      const counted = datapath.counted(() => {
        expect(datapath.ingress(sent)).toEqual({ verdict: 'next', packet: octetsOf(sent), mark: 0 });
      });
      expect(counted).toEqual({});
    }
  });
});

describe.each(FAMILIES)('a pod over $title that reaches itself', ({ addresses }) => {
  test('is answered by way of this node, also on another port', () => {
    for (const port of [PORT, TARGET_PORT]) {
      datapath.forgetFlows();
      datapath.program(service(addresses, { clusterEndpoints: [endpoint(addresses.pod, port)] }));
      const ends = { source: addresses.pod, destination: addresses.clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT };
      const asked = sctp(ends);
      const arrived = datapath.ingress(asked);
      const left = datapath.egress(arrived.packet, arrived.mark);
      const { sourcePort } = portsOf(readPacket(left.packet));
      expect(left.packet).toBePacket(
        changed(asked, { source: addresses.node, sourcePort, destination: addresses.pod, destinationPort: port }),
      );
      const answer = sctp({
        ...{ source: addresses.pod, destination: addresses.node, sourcePort: port, destinationPort: sourcePort, chunk: INIT_ACK },
      });
      expect(datapath.egress(datapath.ingress(answer).packet).packet).toBePacket(
        changed(answer, {
          ...{ source: addresses.clusterIP, sourcePort: PORT, destination: addresses.pod, destinationPort: CLIENT_PORT },
        }),
      );
    }
  });
});

// Port unreachable goes to the sender of any packet to a port that a ClusterIP does not have, so not to those of an INIT only.
test.each([
  ['an INIT as far as its initiate tag', INIT, text('more than that'), 20],
  ['another chunk with its header, whatever follows', DATA, text('data'), 16],
  ['a chunk that is nothing but its header', COOKIE_ECHO, text(''), 16],
])('a port that the ClusterIP does not have is answered by an error that quotes %s', (_, chunk, payload, quoted) => {
  datapath.program(service(V4));
  const sent = toService(V4, { destinationPort: PORT + 1, chunk, payload });
  const { verdict, packet } = datapath.ingress(sent);
  expect(verdict).toBe('redirect');
  expect(packet).toBePacket(
    icmp({
      ...{ source: V4.clusterIP, destination: V4.client, type: 3, code: 3, ip: { id: 0 } },
      ethernet: { destination: sent.ethernet.source, source: sent.ethernet.destination },
      payload: octetsOf(sent).subarray(14, 14 + 20 + quoted),
    }),
  );
});

test('an INIT that is cut is not answered by an error that quotes more than was sent', () => {
  datapath.program(service(V4, { clusterEndpoints: [] }));
  const sent = toService(V4, { payload: text('abc') });
  const counted = datapath.counted(() => {
    expect(datapath.ingress(sent)).toMatchObject({ verdict: 'drop', packet: octetsOf(sent) });
  });
  expect(counted).toEqual({ drop_rewrite_failed: 1 });
});
