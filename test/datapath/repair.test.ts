// A flow that lost entries, as by somebody who removed rows: its own packets make them again.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { viewOf } from '../../src/datapath/bytes.ts';
import { Direction, LB_FLOW_STATE_SIZE, readFlowKey } from '../../src/datapath/layout.gen.ts';
import { CASES, CLIENT_PORT, NODE_PORT, PORT, portsOf, segment, servicePort, TARGET_PORT } from './cluster.ts';
import { Datapath } from './datapath.ts';
import { expire } from './expire.ts';
import type { Packet } from './packet/packet.ts';
import { readPacket } from './packet/read-packet.ts';

const STARTED_NS_AT = 64;

let datapath: Datapath;
beforeAll(async () => {
  datapath = await Datapath.load();
});
beforeEach(() => datapath.forgetFlows());
afterAll(() => datapath.close());

describe.each(CASES)('over $title', ({ addresses, transport }) => {
  const { client, clusterIP, node } = addresses;
  const asks = (flags: string, destination = clusterIP, destinationPort = PORT): Packet =>
    segment(transport, { source: client, destination, sourcePort: CLIENT_PORT, destinationPort, flags });
  const answers = (destination: string, destinationPort: number): Packet =>
    segment(transport, { source: addresses.endpoint, destination, sourcePort: TARGET_PORT, destinationPort, flags: 'SA' });

  /** A flow of some age with all of its entries. Answers with where its endpoint replies to. */
  const establish = (destination = clusterIP, port = PORT): { to: string; port: number } => {
    const seen = readPacket(datapath.egress(datapath.ingress(asks('S', destination, port)).packet).packet);
    const { sourcePort } = portsOf(seen);
    const back = readPacket(datapath.ingress(answers(seen.ip.source, sourcePort)).packet);
    datapath.egress(back);
    age();
    return { to: seen.ip.source, port: sourcePort };
  };
  const remove = (direction: number, which: (key: ReturnType<typeof readFlowKey>) => boolean): void => {
    const entries = datapath.map('flows');
    const keys = entries.keys().filter((key) => {
      const entry = readFlowKey(key);
      return entry.direction === direction && which(entry);
    });
    expect(keys.length).toBe(1);
    for (const key of keys) entries.delete(key);
  };
  const ofClient = ({ sourcePort }: { sourcePort: number }): boolean => sourcePort === CLIENT_PORT;
  const ofEndpoint = ({ sourcePort }: { sourcePort: number }): boolean => sourcePort === TARGET_PORT;

  test("the next packet of the client makes the reply's entry again", () => {
    datapath.program(servicePort(addresses, transport));
    const { to, port } = establish();
    remove(Direction.LB_OUT, ofEndpoint);
    const counted = datapath.counted(() => expect(datapath.ingress(asks('PA')).verdict).toBe('next'));
    expect(counted).toEqual({ flow_repaired: 1 });
    expect(readPacket(datapath.egress(answers(to, port)).packet).ip.source).toBe(clusterIP);
  });

  test("the next packet of the endpoint makes the client's entry again, to the same endpoint", () => {
    datapath.program(servicePort(addresses, transport));
    const { to, port } = establish();
    remove(Direction.LB_IN, ofClient);
    const counted = datapath.counted(() => expect(datapath.egress(answers(to, port)).verdict).toBe('next'));
    expect(counted).toEqual({ flow_repaired: 1 });
    expect(readPacket(datapath.ingress(asks('PA')).packet).ip.destination).toBe(addresses.endpoint);
    expect(datapath.flows().length).toBe(1);
  });

  test('a masqueraded flow gets its source back, with the port that it had', () => {
    datapath.program(servicePort(addresses, transport));
    const { to, port } = establish(node, NODE_PORT);
    remove(Direction.LB_OUT, ofClient);
    const moved = datapath.ingress(asks('PA', node, NODE_PORT));
    const out = readPacket(datapath.egress(moved.packet).packet);
    expect([out.ip.source, portsOf(out).sourcePort]).toEqual([to, port]);
  });

  test.runIf(transport !== 'SCTP')(
    "until then a masqueraded flow's reply is dropped by name, not given to the node's own stack",
    () => {
      datapath.program(servicePort(addresses, transport));
      const { to, port } = establish(node, NODE_PORT);
      remove(Direction.LB_IN, ofEndpoint);
      const counted = datapath.counted(() => expect(datapath.ingress(answers(to, port)).verdict).toBe('drop'));
      expect(counted).toEqual({ drop_no_flow: 1 });
      datapath.ingress(asks('PA', node, NODE_PORT));
      expect(readPacket(datapath.ingress(answers(to, port)).packet).ip.destination).toBe(client);
    },
  );

  test("without any packet the controller's rounds do it", () => {
    datapath.program(servicePort(addresses, transport));
    establish();
    const before = datapath.entries;
    remove(Direction.LB_IN, ofClient);
    const counted = datapath.counted(() => expect(expire(datapath)).toEqual({ inUse: 1, expired: 0 }));
    expect([counted, datapath.entries]).toEqual([{ flow_repaired: 1 }, before]);
  });

  test('a flow that began after the round did is left to whoever makes it', () => {
    datapath.program(servicePort(addresses, transport));
    establish();
    remove(Direction.LB_IN, ofClient);
    age(60_000_000_000n);
    const counted = datapath.counted(() => expect(expire(datapath)).toEqual({ inUse: 1, expired: 0 }));
    expect(counted).toEqual({});
  });

  test('a flow with all of its entries writes none', () => {
    datapath.program(servicePort(addresses, transport));
    const { to, port } = establish(node, NODE_PORT);
    const counted = datapath.counted(() => {
      datapath.egress(datapath.ingress(asks('PA', node, NODE_PORT)).packet);
      age();
      datapath.egress(datapath.ingress(answers(to, port)).packet);
      expire(datapath);
    });
    expect(counted).toEqual({});
  });
});

/** All flows are moved in time, by default two seconds back: packets look after their entries once a second. */
function age(byNs = -2_000_000_000n): void {
  const rows = datapath.map('flow_states').mmap();
  const view = viewOf(rows);
  for (let at = 0; at < rows.length; at += LB_FLOW_STATE_SIZE) {
    if (view.getUint32(at + 8, true) === 0) continue;
    for (const field of [0, STARTED_NS_AT]) view.setBigUint64(at + field, view.getBigUint64(at + field, true) + byNs, true);
  }
}
