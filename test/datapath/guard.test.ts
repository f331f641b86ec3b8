// Rule 6: a connection of the node whose port one of our flows has already, at the same remote end.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  Direction,
  FlowFlag,
  LB_FLOW_STATE_SIZE,
  RewriteFlag,
  readFlowKey,
  readFlowState,
  readRewrite,
  writeFlowState,
  writeRewrite,
} from '../../src/datapath/layout.gen.ts';
import { CASES, CLIENT_PORT, NODE_PORT, portsOf, segment, servicePort, TARGET_PORT } from './cluster.ts';
import { Datapath } from './datapath.ts';
import type { Packet } from './packet/packet.ts';
import { readPacket } from './packet/read-packet.ts';
import './packet/to-be-packet.ts';
import { octetsOf } from './packet/write-packet.ts';

const RANGE = { min: 15000, max: 15099 };

let datapath: Datapath;
let withTwoPorts: Datapath;
beforeAll(async () => {
  datapath = await Datapath.load({ flags: { 'ebpf-snat-port-range': `${RANGE.min}-${RANGE.max}` } });
  withTwoPorts = await Datapath.load({ variables: { snatPortMin: RANGE.min, snatPortMax: RANGE.min + 1 } });
});
beforeEach(() => {
  for (const loaded of [datapath, withTwoPorts]) loaded.forgetFlows();
});
afterAll(() => {
  for (const loaded of [datapath, withTwoPorts]) loaded.close();
});
/** Guarded flows become as they are while another processor looks for their port, but for the reply's entry, which comes first. */
function asWhileResolving(): void {
  const rows = datapath.map('flow_states').mmap();
  const entries = datapath.map('flows');
  for (let at = 0, row = 0; at < rows.length; at += LB_FLOW_STATE_SIZE, row++) {
    const state = readFlowState(rows, at);
    if (!(state.flags & FlowFlag.LB_FLOW_GUARD)) continue;
    writeFlowState(rows, at, { ...state, flags: (state.flags & ~FlowFlag.LB_FLOW_SNAT) | FlowFlag.LB_FLOW_RESOLVING });
    for (const key of entries.keys()) {
      const entry = readRewrite(entries.get(key)!);
      if (entry.flowId !== row || readFlowKey(key).direction !== Direction.LB_OUT) continue;
      const pending = entries.get(key)!;
      writeRewrite(pending, 0, { ...entry, flags: entry.flags | RewriteFlag.LB_REWRITE_PENDING });
      entries.set(key, pending);
    }
  }
}

describe.each(CASES)('over $title', ({ addresses, transport }) => {
  const { client, node, endpoint } = addresses;
  const toNodePort = (sourcePort = CLIENT_PORT): Packet =>
    segment(transport, { source: client, destination: node, sourcePort, destinationPort: NODE_PORT });
  const fromNode = (sourcePort: number, fields = {}): Packet =>
    segment(transport, { source: node, destination: endpoint, sourcePort, destinationPort: TARGET_PORT, ...fields });
  const toNode = (destinationPort: number, flags = 'SA'): Packet =>
    segment(transport, { source: endpoint, destination: node, sourcePort: TARGET_PORT, destinationPort, flags });
  /** A masqueraded flow of ours; the port of the node that it was given. */
  const takePort = (loaded = datapath, sourcePort = CLIENT_PORT): number =>
    portsOf(readPacket(loaded.egress(loaded.ingress(toNodePort(sourcePort)).packet).packet)).sourcePort;

  test('leaves by another port, is answered at its own, and ours is answered as before', () => {
    datapath.program(servicePort(addresses, transport));
    const port = takePort();
    let left = readPacket(octetsOf(fromNode(port)));
    const counted = datapath.counted(() => {
      left = readPacket(datapath.egress(fromNode(port)).packet);
    });
    const { sourcePort } = portsOf(left);
    expect(left).toBePacket(fromNode(sourcePort));
    expect(sourcePort).not.toBe(port);
    expect(sourcePort >= RANGE.min && sourcePort <= RANGE.max).toBe(true);
    expect(counted).toEqual({ snat_allocated: 1, flow_guarded: 1 });
    expect(readPacket(datapath.ingress(toNode(sourcePort)).packet)).toBePacket(toNode(port));
    expect(readPacket(datapath.ingress(toNode(port)).packet).ip.destination).toBe(client);
  });

  test('keeps that port for its later packets, and is known as answered', () => {
    datapath.program(servicePort(addresses, transport));
    const port = takePort();
    const first = portsOf(readPacket(datapath.egress(fromNode(port)).packet)).sourcePort;
    datapath.ingress(toNode(first));
    const later = portsOf(readPacket(datapath.egress(fromNode(port, { flags: 'A' })).packet)).sourcePort;
    expect(later).toBe(first);
    const guard = datapath.flows().find(({ serviceId }) => serviceId === 0);
    expect([guard!.requestPackets, guard!.replyPackets, guard!.flags & 1]).toEqual([2n, 1n, 1]);
  });

  test('passes unchanged where nobody has its port, to another remote end, and outside of the range', () => {
    datapath.program(servicePort(addresses, transport));
    const port = takePort();
    const counted = datapath.counted(() => {
      for (const packet of [
        fromNode(port === RANGE.max ? RANGE.min : port + 1),
        fromNode(port, { destination: addresses.otherEndpoint }),
        fromNode(port, { destinationPort: TARGET_PORT + 1 }),
        fromNode(RANGE.max + 1),
      ]) {
        expect(datapath.egress(packet)).toMatchObject({ verdict: 'next', packet: octetsOf(packet) });
      }
    });
    expect(counted).toEqual({});
  });

  test('two first packets at once: the second is dropped by name, and the first keeps its port', () => {
    datapath.program(servicePort(addresses, transport));
    const port = takePort();
    const first = portsOf(readPacket(datapath.egress(fromNode(port)).packet)).sourcePort;
    asWhileResolving();
    const counted = datapath.counted(() => expect(datapath.egress(fromNode(port)).verdict).toBe('drop'));
    expect(counted).toEqual({ drop_snat_raced: 1 });
    expect(readPacket(datapath.ingress(toNode(first)).packet)).toBePacket(toNode(port));
  });

  test('is dropped by name when no other port is left, and gets one once there is', () => {
    withTwoPorts.program(servicePort(addresses, transport));
    const ports = [CLIENT_PORT, CLIENT_PORT + 1].map((sourcePort) => takePort(withTwoPorts, sourcePort));
    const counted = withTwoPorts.counted(() => expect(withTwoPorts.egress(fromNode(ports[0]!)).verdict).toBe('drop'));
    expect(counted).toEqual({ drop_snat_exhausted: 1 });
    expect(withTwoPorts.flows().length).toBe(2);
  });
});
