// The life of a flow: how it ends, and what may begin in its place.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
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
} from './cluster.ts';
import { Datapath } from './datapath.ts';
import { expire } from './expire.ts';
import { changed, type Packet } from './packet/packet.ts';
import { readPacket } from './packet/read-packet.ts';
import './packet/to-be-packet.ts';
import { octetsOf } from './packet/write-packet.ts';

let datapath: Datapath;
let withOneFlow: Datapath;
let impatient: Datapath;
beforeAll(async () => {
  datapath = await Datapath.load();
  withOneFlow = await Datapath.load({ variables: { flowStates: 1 } });
  impatient = await Datapath.load({ variables: { tcpSynNs: 0n, udpUnrepliedNs: 0n, sctpInitNs: 0n } });
});
beforeEach(() => {
  for (const loaded of [datapath, withOneFlow, impatient]) loaded.forgetFlows();
});
afterAll(() => {
  for (const loaded of [datapath, withOneFlow, impatient]) loaded.close();
});

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
  const { asks, answers } = packetsOf(addresses, transport);

  test('silence ends a flow with all of its entries', () => {
    for (const { loaded, inUse, entries } of [
      { loaded: datapath, inUse: 2, entries: 2 + 4 },
      { loaded: impatient, inUse: 0, entries: 0 },
    ]) {
      loaded.program(servicePort(addresses, transport));
      loaded.ingress(asks('S'));
      loaded.egress(loaded.ingress(asks('S', { destination: addresses.externalIP, sourcePort: 1 })).packet);
      expect(loaded.entries).toBe(2 + 4);
      expect(expire(loaded)).toEqual({ inUse, expired: 2 - inUse });
      expect([loaded.flows().length, loaded.entries]).toEqual([inUse, entries]);
    }
  });

  test('where every flow is in use a new one is dropped by that name, unchanged, and those that are there go on', () => {
    withOneFlow.program(servicePort(addresses, transport));
    expect(withOneFlow.ingress(asks('S')).verdict).toBe('next');
    withOneFlow.egress(answers('SA'));
    expect(withOneFlow.ingress(asks('A')).verdict).toBe('next');
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

  test('stays with an endpoint that lingers, also over a restart of the controller, until it serves no more', () => {
    datapath.program(servicePort(addresses, 'UDP'));
    expect(targetOf(asks(''))).toBe(addresses.endpoint);
    const lingering = { ...moved, lingeringEndpoints: [endpoint(addresses.endpoint)] };
    datapath.program(lingering);
    expect(targetOf(asks(''))).toBe(addresses.endpoint);
    expect(targetOf(asks('', { sourcePort: CLIENT_PORT + 1 }))).toBe(addresses.otherEndpoint);
    datapath.restart();
    datapath.program(lingering);
    expect(targetOf(asks(''))).toBe(addresses.endpoint);
    datapath.program(moved);
    expect(targetOf(asks(''))).toBe(addresses.otherEndpoint);
  });

  test('is rejected once the last endpoint has left, and goes on with the first that comes', () => {
    datapath.program(servicePort(addresses, 'UDP'));
    expect(targetOf(asks(''))).toBe(addresses.endpoint);
    datapath.program(servicePort(addresses, 'UDP', { clusterEndpoints: [] }));
    expect(datapath.ingress(asks('')).verdict).toBe('redirect');
    datapath.program(moved);
    expect(targetOf(asks(''))).toBe(addresses.otherEndpoint);
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

  test('that has ended leaves its port to the next, also through another frontend', () => {
    datapath.program(servicePort(addresses, 'TCP'));
    datapath.ingress(asks('S'));
    datapath.ingress(asks('R'));
    const next = asks('S', { destination: addresses.externalIP });
    expect(datapath.ingress(next).packet).toBePacket(
      changed(next, { destination: addresses.endpoint, destinationPort: TARGET_PORT }),
    );
    expect([datapath.flows().length, datapath.entries]).toEqual([1, 3]);
  });

  test.each(['R', 'FA'])('that has ended (%s) leaves its port to one straight to the endpoint', (last) => {
    datapath.program(servicePort(addresses, 'TCP'));
    datapath.ingress(asks('S'));
    datapath.egress(answers('SA'));
    datapath.ingress(asks('A'));
    datapath.ingress(asks(last));
    datapath.egress(answers(last));
    const direct = asks('S', { destination: addresses.endpoint, destinationPort: TARGET_PORT });
    expect(datapath.ingress(direct)).toMatchObject({ verdict: 'next', packet: octetsOf(direct) });
    for (const answer of [answers('SA'), answers('PA')]) {
      expect(datapath.egress(answer)).toMatchObject({ verdict: 'next', packet: octetsOf(answer) });
    }
    expect(datapath.flows()).toEqual([]);
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
