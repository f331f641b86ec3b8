// A full flow table: what makes room for a new flow, and what never does.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CASES, CLIENT_PORT, PORT, segment, servicePort, TARGET_PORT } from './cluster.ts';
import { Datapath } from './datapath.ts';
import type { Packet } from './packet/packet.ts';

const ROWS = 64;
const IN_USE = 16; // flows that must outlive the flood
const FLOOD = 10 * ROWS;
const TRIES = 12; // where chance alone might find the last row
const FIRST_FLOOD_PORT = 50_000;

let datapath: Datapath;
beforeAll(async () => {
  datapath = await Datapath.load({ variables: { flowStates: ROWS } });
});
beforeEach(() => datapath.forgetFlows());
afterAll(() => datapath.close());

describe.each(CASES)('over $title', ({ addresses, transport }) => {
  const asks = (sourcePort: number, flags: string): Packet =>
    segment(transport, {
      ...{ source: addresses.client, destination: addresses.clusterIP, sourcePort, destinationPort: PORT },
      flags,
    });
  const answers = (destinationPort: number, flags: string): Packet =>
    segment(transport, {
      ...{ source: addresses.endpoint, destination: addresses.client, sourcePort: TARGET_PORT, destinationPort },
      flags,
    });
  const establish = (port: number): void => {
    datapath.ingress(asks(port, 'S'));
    datapath.egress(answers(port, 'SA'));
    datapath.ingress(asks(port, 'A'));
  };
  const close = (port: number): void => {
    datapath.ingress(asks(port, 'R'));
  };
  /** First packets of as many clients; how many were let in. */
  const flood = (packets: number): number =>
    Array.from({ length: packets }, (_, i) => datapath.ingress(asks(FIRST_FLOOD_PORT + i, 'S')).verdict).filter(
      (verdict) => verdict === 'next',
    ).length;
  const portsInUse = Array.from({ length: IN_USE }, (_, i) => CLIENT_PORT + i);
  const clientPorts = (): Set<number> => new Set(datapath.flows().map(({ clientPort }) => clientPort));

  test('ten times its size of first packets takes no flow that is in use, and each is let in', () => {
    datapath.program(servicePort(addresses, transport));
    for (const port of portsInUse) establish(port);
    const counted = datapath.counted(() => expect(flood(FLOOD)).toBe(FLOOD));
    expect([...clientPorts()].filter((port) => portsInUse.includes(port)).length).toBe(IN_USE);
    expect(counted).toEqual({ flow_new: FLOOD, flow_evicted: FLOOD - datapath.flows().length + IN_USE });
    for (const port of portsInUse) {
      expect([datapath.ingress(asks(port, 'PA')).verdict, datapath.egress(answers(port, 'PA')).verdict]).toEqual([
        'next',
        'next',
      ]);
    }
  });

  test('connections in use may fill the table to its last row', () => {
    datapath.program(servicePort(addresses, transport));
    for (let i = 0; i < TRIES; i++) {
      datapath.forgetFlows();
      const counted = datapath.counted(() => {
        for (let i = 0; i < ROWS; i++) establish(CLIENT_PORT + i);
      });
      expect([datapath.flows().length, counted]).toEqual([ROWS, { flow_new: ROWS }]);
    }
    const refused = datapath.counted(() => expect(flood(1)).toBe(0));
    expect([datapath.flows().length, refused]).toEqual([ROWS, { drop_flows_full: 1 }]);
  });

  test('the one flow that nobody answered, among connections in use that fill the table, makes room', () => {
    datapath.program(servicePort(addresses, transport));
    for (let i = 0; i < TRIES; i++) {
      datapath.forgetFlows();
      for (let i = 1; i < ROWS; i++) establish(CLIENT_PORT + i);
      datapath.ingress(asks(FIRST_FLOOD_PORT, 'S'));
      const counted = datapath.counted(() => establish(CLIENT_PORT));
      expect([clientPorts().has(FIRST_FLOOD_PORT), clientPorts().has(CLIENT_PORT)]).toEqual([false, true]);
      expect(counted).toEqual({ flow_new: 1, flow_evicted: 1 });
    }
  });

  test('a flow that was evicted leaves no entry', () => {
    datapath.program(servicePort(addresses, transport));
    flood(FLOOD);
    expect(datapath.entries).toBe(2 * datapath.flows().length);
  });

  test.runIf(transport !== 'UDP')('flows that have ended go before those that nobody has answered yet', () => {
    datapath.program(servicePort(addresses, transport));
    flood(2 * ROWS); // until no row is free
    const waiting = clientPorts();
    const ended = [...waiting].slice(0, ROWS / 2);
    for (const port of ended) close(port);
    // Of the places that are looked at nearly always one has ended.
    for (let i = 0; i < ROWS / 8; i++) datapath.ingress(asks(CLIENT_PORT + i, 'S'));
    const left = clientPorts();
    expect([...waiting].filter((port) => !ended.includes(port) && !left.has(port))).toEqual([]);
    expect(ended.filter((port) => !left.has(port)).length).toBe(ROWS / 8);
  });

  test('a flood that is answered, by an endpoint that listens, takes no established flow', () => {
    datapath.program(servicePort(addresses, transport));
    for (const port of portsInUse) establish(port);
    for (let i = 0; i < FLOOD; i++) {
      expect(datapath.ingress(asks(FIRST_FLOOD_PORT + i, 'S')).verdict).toBe('next');
      datapath.egress(answers(FIRST_FLOOD_PORT + i, 'SA'));
    }
    expect(portsInUse.every((port) => clientPorts().has(port))).toBe(true);
  });

  test('connections that were answered once and went no further make room', () => {
    datapath.program(servicePort(addresses, transport));
    for (let i = 0; datapath.flows().length < ROWS; i++) {
      datapath.ingress(asks(FIRST_FLOOD_PORT + i, 'S'));
      datapath.egress(answers(FIRST_FLOOD_PORT + i, 'SA'));
    }
    const counted = datapath.counted(() => {
      for (const port of portsInUse) establish(port);
    });
    expect(counted).toEqual({ flow_new: IN_USE, flow_evicted: IN_USE });
    expect(portsInUse.every((port) => clientPorts().has(port))).toBe(true);
  });

  test('a handshake in the midst of a flood comes to its end', () => {
    datapath.program(servicePort(addresses, transport));
    flood(FLOOD);
    expect(datapath.ingress(asks(CLIENT_PORT, 'S')).verdict).toBe('next');
    datapath.egress(answers(CLIENT_PORT, 'SA'));
    flood(4);
    datapath.ingress(asks(CLIENT_PORT, 'A'));
    flood(FLOOD);
    expect(clientPorts().has(CLIENT_PORT)).toBe(true);
  });
});
