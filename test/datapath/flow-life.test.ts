// The life of a flow: how it ends, what may begin in its place, and what is dropped because nobody knows it.
import { createServer } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { LB_EXPIRE_SIZE, readExpire, writeExpire } from '../../src/datapath/layout.gen.ts';
import {
  type Addresses,
  CASES,
  CLIENT_PORT,
  endpoint,
  FAMILIES,
  PORT,
  segment,
  servicePort,
  TARGET_PORT,
  type Transport,
  V4,
} from './cluster.ts';
import { Datapath } from './datapath.ts';
import { changed, type Packet, tcp } from './packet/packet.ts';
import { readPacket } from './packet/read-packet.ts';
import './packet/to-be-packet.ts';
import { octetsOf } from './packet/write-packet.ts';

let datapath: Datapath;
let withOneFlow: Datapath;
let impatient: Datapath;
beforeAll(async () => {
  datapath = await Datapath.load();
  withOneFlow = await Datapath.load({ variables: { flowStates: 1 } });
  impatient = await Datapath.load({ variables: { tcpSynNs: 0n, udpUnrepliedNs: 0n } });
});
beforeEach(() => {
  for (const loaded of [datapath, withOneFlow, impatient]) loaded.forgetFlows();
});
afterAll(() => {
  for (const loaded of [datapath, withOneFlow, impatient]) loaded.close();
});

/** One pass over the whole table. */
function expire(datapath: Datapath) {
  const context = new Uint8Array(LB_EXPIRE_SIZE);
  writeExpire(context, 0, { first: 0, count: 1024, inUse: 0, expired: 0 });
  return readExpire(datapath.object.program('flow_expire').testRun({ context }).context);
}

function packetsOf(addresses: Addresses, transport: Transport) {
  const asks = (flags: string, fields = {}): Packet =>
    segment(transport, {
      ...{ source: addresses.client, destination: addresses.clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT },
      flags,
      ...fields,
    });
  const answers = (flags: string): Packet =>
    segment(transport, {
      ...{ source: addresses.endpoint, destination: addresses.client, sourcePort: TARGET_PORT, destinationPort: CLIENT_PORT },
      flags,
    });
  const targetOf = (packet: Packet): string => readPacket(datapath.ingress(packet).packet).ip.destination;
  const moved = servicePort(addresses, transport, { clusterEndpoints: [endpoint(addresses.otherEndpoint)] });
  return { asks, answers, targetOf, moved };
}

describe.each(CASES)('over $title', ({ addresses, transport }) => {
  const { asks } = packetsOf(addresses, transport);

  test('silence ends a flow with all of its entries', () => {
    for (const { loaded, inUse, entries } of [
      { loaded: datapath, inUse: 2, entries: 2 + 4 },
      { loaded: impatient, inUse: 0, entries: 0 },
    ]) {
      loaded.program(servicePort(addresses, transport));
      loaded.ingress(asks('S'));
      loaded.egress(loaded.ingress(asks('S', { destination: addresses.externalIP, sourcePort: 1 })).packet);
      expect(loaded.entries).toBe(2 + 4);
      expect(expire(loaded)).toMatchObject({ inUse, expired: 2 - inUse });
      expect([loaded.flows().length, loaded.entries]).toEqual([inUse, entries]);
    }
  });

  test('without a free row a new flow is dropped by that name, unchanged, and the one that is there goes on', () => {
    withOneFlow.program(servicePort(addresses, transport));
    expect(withOneFlow.ingress(asks('S')).verdict).toBe('next');
    const second = asks('S', { sourcePort: CLIENT_PORT + 1 });
    const counted = withOneFlow.counted(() => {
      expect(withOneFlow.ingress(second)).toMatchObject({ verdict: 'drop', packet: octetsOf(second) });
    });
    expect(counted).toEqual({ drop_flows_full: 1 });
    expect(withOneFlow.ingress(asks('A')).verdict).toBe('next');
  });
});

describe.each(FAMILIES)('a datagram over $title', ({ addresses }) => {
  const { asks, targetOf, moved } = packetsOf(addresses, 'UDP');

  test('selects again once its endpoint has left', () => {
    datapath.program(servicePort(addresses, 'UDP'));
    expect(targetOf(asks(''))).toBe(addresses.endpoint);
    datapath.program(moved);
    const counted = datapath.counted(() => expect(targetOf(asks(''))).toBe(addresses.otherEndpoint));
    expect(counted).toEqual({ flow_new: 1, flow_reselected: 1 });
    expect([datapath.flows().length, datapath.entries]).toEqual([1, 2]);
  });
});

describe.each(FAMILIES)('a connection over $title', ({ addresses }) => {
  const { asks, answers, targetOf, moved } = packetsOf(addresses, 'TCP');

  test.each(['A', 'PA', 'SA', 'R', 'FA'])('that nobody knows (%s) is dropped by that name, unchanged', (flags) => {
    datapath.program(servicePort(addresses, 'TCP'));
    const counted = datapath.counted(() => {
      expect(datapath.ingress(asks(flags))).toEqual({ verdict: 'drop', packet: octetsOf(asks(flags)), mark: 0 });
    });
    expect(counted).toEqual({ drop_no_flow: 1 });
  });

  test('goes on when its endpoint has left the Service, and a SYN sent again stays with it', () => {
    datapath.program(servicePort(addresses, 'TCP'));
    datapath.ingress(asks('S'));
    datapath.program(moved);
    expect([targetOf(asks('S')), targetOf(asks('A'))]).toEqual([addresses.endpoint, addresses.endpoint]);
    expect(targetOf(asks('S', { sourcePort: CLIENT_PORT + 1 }))).toBe(addresses.otherEndpoint);
  });

  test.each([
    ['RST of the client', () => [datapath.ingress(asks('R'))]],
    ['RST of the endpoint', () => [datapath.egress(answers('RA'))]],
    ['FIN of both', () => [datapath.ingress(asks('FA')), datapath.egress(answers('FA'))]],
  ])('that has ended by %s makes room for the next of the same port', (_, end) => {
    datapath.program(servicePort(addresses, 'TCP'));
    datapath.ingress(asks('S'));
    datapath.egress(answers('SA'));
    datapath.ingress(asks('A'));
    datapath.program(moved);
    end();
    expect(targetOf(asks('S'))).toBe(addresses.otherEndpoint);
    expect([datapath.flows().length, datapath.entries]).toEqual([1, 2]);
  });

  test('that one side has closed still carries the last packets of the other', () => {
    datapath.program(servicePort(addresses, 'TCP'));
    datapath.ingress(asks('S'));
    datapath.egress(answers('FA'));
    expect(targetOf(asks('A'))).toBe(addresses.endpoint);
    expect(targetOf(asks('S'))).toBe(addresses.endpoint);
    datapath.ingress(asks('FA'));
    const last = answers('A');
    expect(datapath.egress(last).packet).toBePacket(changed(last, { source: addresses.clusterIP, sourcePort: PORT }));
  });
});

describe.each(FAMILIES)('a packet over $title to this node and a port of the SNAT range', ({ addresses }) => {
  const toNode = { source: addresses.client, destination: addresses.node, sourcePort: 5555, destinationPort: 23456 };

  test.each([
    ['TCP', 'A', { drop_no_flow: 1 }],
    ['TCP', 'SA', { drop_no_flow: 1 }],
    ['UDP', '', { drop_no_flow: 1 }],
    ['TCP', 'S', {}],
  ] as const)('that no flow explains (%s %s) counts %o and stays unchanged', (transport, flags, expected) => {
    const packet = segment(transport, { ...toNode, flags });
    const counted = datapath.counted(() => {
      const verdict = 'drop_no_flow' in expected ? 'drop' : 'next';
      expect(datapath.ingress(packet)).toEqual({ verdict, packet: octetsOf(packet), mark: 0 });
    });
    expect(counted).toEqual(expected);
  });

  test('passes below and above the range, and at addresses of others', () => {
    for (const fields of [{ destinationPort: 10239 }, { destinationPort: 30000 }, { destination: addresses.stranger }]) {
      expect(datapath.ingress(segment('TCP', { ...toNode, flags: 'A', ...fields })).verdict).toBe('next');
    }
  });
});

test('a packet to a socket of this node passes, whatever its port', async () => {
  const server = createServer().listen(0, '0.0.0.0');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const ranged = await Datapath.load({ variables: { snatPortMin: port, snatPortMax: port } });
  const packet = tcp({ source: V4.client, destination: V4.node, sourcePort: 5555, destinationPort: port, flags: 'A' });
  expect(ranged.ingress(packet).verdict).toBe('next');
  await new Promise((resolve) => server.close(resolve));
  expect(ranged.ingress(packet).verdict).toBe('drop');
  ranged.close();
});
