// An entry counts only while its claim is its row's: leftovers are absent to every reader, and nobody takes a stranger's entry away.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  FlowFlag,
  type FlowState,
  LB_FLOW_STATE_SIZE,
  type Rewrite,
  RewriteFlag,
  readFlowState,
  readRewrite,
  writeFlowState,
  writeRewrite,
} from '../../src/datapath/layout.gen.ts';
import { u32 } from '../native/u32.ts';
import { CASES, CLIENT_PORT, endpoint, PORT, portsOf, segment, servicePort, TARGET_PORT } from './cluster.ts';
import { Datapath } from './datapath.ts';
import { expire } from './expire.ts';
import { changed } from './packet/packet.ts';
import { readPacket } from './packet/read-packet.ts';
import './packet/to-be-packet.ts';
import { octetsOf } from './packet/write-packet.ts';

const LOOPBACK = u32(1); // ifindex: the device of a test run

let datapath: Datapath;
beforeAll(async () => {
  // A flow is old by less than a guest has been up.
  datapath = await Datapath.load({ variables: { udpUnrepliedNs: 10_000_000_000n } });
});
beforeEach(() => datapath.forgetFlows());
afterAll(() => datapath.close());

const rowsOf = (): Uint8Array => datapath.map('flow_states').mmap();
/** Changes the row of every flow. */
function changeFlows(change: (state: FlowState) => Partial<FlowState>): void {
  const rows = rowsOf();
  for (let at = 0; at < rows.length; at += LB_FLOW_STATE_SIZE) {
    const state = readFlowState(rows, at);
    if (state.claim !== 0) writeFlowState(rows, at, { ...state, ...change(state) });
  }
}
/** Changes every entry. */
function changeEntries(change: (entry: Rewrite) => Rewrite): void {
  const entries = datapath.map('flows');
  for (const key of entries.keys()) {
    const row = entries.get(key)!;
    writeRewrite(row, 0, change(readRewrite(row)));
    entries.set(key, row);
  }
}

describe.each(CASES)('over $title', ({ addresses, transport }) => {
  const { client, clusterIP, externalIP, node } = addresses;
  const asks = (fields = {}) =>
    segment(transport, { source: client, destination: clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT, ...fields });
  const answers = (fields = {}) =>
    segment(transport, {
      ...{ source: addresses.endpoint, destination: client, sourcePort: TARGET_PORT, destinationPort: CLIENT_PORT, flags: 'SA' },
      ...fields,
    });
  const moved = servicePort(addresses, transport, { clusterEndpoints: [endpoint(addresses.otherEndpoint)] });
  const target = { destination: addresses.otherEndpoint, destinationPort: TARGET_PORT };

  test.each([
    ['has been given to another flow', ({ claim }: FlowState) => ({ claim: claim + 2 })],
    ['is free', () => ({ claim: 0 })],
  ])('entries whose row %s are absent, at both hooks', (_, change) => {
    datapath.program(servicePort(addresses, transport));
    datapath.ingress(asks());
    changeFlows(change);
    expect(datapath.egress(answers())).toMatchObject({ verdict: 'next', packet: octetsOf(answers()) });
    datapath.program(moved);
    expect(datapath.ingress(asks()).packet).toBePacket(changed(asks(), target));
  });

  test.each([
    ['a free row', 0],
    ['a row that is being filled or emptied', 0xffffffff],
  ])('entries that were made of %s while it was so are absent, at both hooks', (_, claim) => {
    datapath.program(servicePort(addresses, transport));
    datapath.ingress(asks());
    changeFlows(() => ({ claim }));
    changeEntries((entry) => ({ ...entry, claim }));
    expect(datapath.egress(answers())).toMatchObject({ verdict: 'next', packet: octetsOf(answers()) });
    datapath.program(moved);
    expect(datapath.ingress(asks()).packet).toBePacket(changed(asks(), target));
  });

  test('a leftover gives its key to who needs it: the port of a masqueraded flow is free again', () => {
    datapath.program(servicePort(addresses, transport));
    const forwarded = (source: string): number => {
      const arrived = datapath.ingress(asks({ source, destination: externalIP, sourcePort: 12345 }));
      return portsOf(readPacket(datapath.egress(arrived.packet, arrived.mark).packet)).sourcePort;
    };
    expect(forwarded(client)).toBe(12345);
    expect(forwarded(addresses.stranger)).not.toBe(12345);
    datapath.map('flow_states').mmap().fill(0);
    expect(forwarded(addresses.pod)).toBe(12345);
  });

  test('a flow that ends leaves entries alone that are no longer its own', () => {
    datapath.program(servicePort(addresses, transport));
    datapath.ingress(asks());
    // Another row that claims to have the same flow, long silent.
    const rows = rowsOf();
    const states = Array.from({ length: rows.length / LB_FLOW_STATE_SIZE }, (_, i) => i * LB_FLOW_STATE_SIZE);
    const mine = readFlowState(rows, states.find((at) => readFlowState(rows, at).claim !== 0)!);
    const free = states.find((at) => readFlowState(rows, at).claim === 0)!;
    writeFlowState(rows, free, { ...mine, claim: mine.claim ^ 2, lastSeenNs: 1n, flags: mine.flags | FlowFlag.LB_FLOW_RESET });
    expect(expire(datapath)).toEqual({ inUse: 1, expired: 1 });
    expect(datapath.entries).toBe(2);
    expect(datapath.egress(answers()).packet).toBePacket(changed(answers(), { source: clusterIP, sourcePort: PORT }));
  });

  test('two first packets of one flow at once: the second takes no port, and is dropped by that name', () => {
    datapath.program(servicePort(addresses, transport));
    const arrived = datapath.ingress(asks({ destination: externalIP }));
    // As it is while another processor looks for a port.
    changeFlows(({ flags }) => ({ flags: flags | FlowFlag.LB_FLOW_RESOLVING }));
    const before = datapath.entries;
    const counted = datapath.counted(() => {
      expect(datapath.egress(arrived.packet, arrived.mark)).toMatchObject({ verdict: 'drop', packet: arrived.packet });
    });
    expect(counted).toEqual({ drop_snat_raced: 1 });
    expect(datapath.entries).toBe(before);
    expect(node).not.toBe(client);
  });

  test('a packet that finds its entry pending when the source is there already leaves by that source', () => {
    datapath.program(servicePort(addresses, transport));
    const sent = () => {
      const arrived = datapath.ingress(asks({ destination: externalIP }));
      return readPacket(datapath.egress(arrived.packet, arrived.mark).packet);
    };
    const first = sent();
    changeEntries((entry) =>
      entry.flags === 0 ? { ...entry, flags: RewriteFlag.LB_REWRITE_PENDING, address: new Uint8Array(16), sourcePort: 0 } : entry,
    );
    const before = datapath.entries;
    const counted = datapath.counted(() => {
      for (let i = 0; i < 2; i++) expect(sent()).toBePacket(first);
    });
    expect([counted, datapath.entries]).toEqual([{}, before]);
    changeEntries((entry) => {
      expect(entry.flags & RewriteFlag.LB_REWRITE_PENDING).toBe(0);
      return entry;
    });
  });

  test('a flow that found no source looks again with its next packet', () => {
    datapath.program(servicePort(addresses, transport));
    const arrived = datapath.ingress(asks({ destination: externalIP }));
    const device = datapath.map('devices').get(LOOPBACK)!;
    datapath.map('devices').set(LOOPBACK, new Uint8Array(device).fill(0, 0, 32));
    expect(datapath.counted(() => datapath.egress(arrived.packet, arrived.mark))).toEqual({ drop_no_source: 1 });
    datapath.map('devices').set(LOOPBACK, device);
    expect(datapath.counted(() => datapath.egress(arrived.packet, arrived.mark))).toEqual({ snat_allocated: 1 });
  });
});
