// Traffic in one direction only: neither half of a flow ages while the other is in use.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { LB_FLOW_STATE_SIZE, readFlowState, writeFlowState } from '../../src/datapath/layout.gen.ts';
import { CASES, CLIENT_PORT, PORT, segment, servicePort, TARGET_PORT } from './cluster.ts';
import { Datapath } from './datapath.ts';
import { expire } from './expire.ts';
import { changed } from './packet/packet.ts';
import './packet/to-be-packet.ts';

const SECOND_NS = 1_000_000_000n;
/** All timeouts: less than any machine has been up, since clocks are turned back. */
const TIMEOUT_NS = 10n * SECOND_NS;
const STEP_NS = 8n * SECOND_NS;
const TIMEOUTS = ['tcpSynNs', 'tcpEstablishedNs', 'udpUnrepliedNs', 'udpStreamNs', 'sctpInitNs', 'sctpEstablishedNs'];

let datapath: Datapath;
beforeAll(async () => {
  datapath = await Datapath.load({ variables: Object.fromEntries(TIMEOUTS.map((name) => [name, TIMEOUT_NS])) });
});
beforeEach(() => datapath.forgetFlows());
afterAll(() => datapath.close());

/** As if this much time had gone by for every flow. */
function goBy(ns: bigint): void {
  const rows = datapath.map('flow_states').mmap();
  for (let at = 0; at < rows.length; at += LB_FLOW_STATE_SIZE) {
    const state = readFlowState(rows, at);
    if (state.claim !== 0) writeFlowState(rows, at, { ...state, lastSeenNs: state.lastSeenNs - ns });
  }
}

describe.each(CASES)('over $title', ({ addresses, transport }) => {
  const { client, clusterIP, externalIP, endpoint, node } = addresses;
  const asks = (flags: string, destination = clusterIP) =>
    segment(transport, { source: client, destination, sourcePort: CLIENT_PORT, destinationPort: PORT, flags });
  const answers = (flags: string) =>
    segment(transport, {
      ...{ source: endpoint, destination: client, sourcePort: TARGET_PORT, destinationPort: CLIENT_PORT, flags },
    });

  test('requests alone keep the entry of the reply, far beyond the timeout', () => {
    datapath.program(servicePort(addresses, transport));
    datapath.ingress(asks('S'));
    for (let i = 0; i < 10; i++) {
      goBy(STEP_NS);
      expect(datapath.counted(() => datapath.ingress(asks('PA')))).toEqual({});
      expect(expire(datapath)).toEqual({ inUse: 1, expired: 0 });
    }
    expect(datapath.entries).toBe(2);
    expect(datapath.egress(answers('SA')).packet).toBePacket(changed(answers('SA'), { source: clusterIP, sourcePort: PORT }));
  });

  test('replies alone keep the entry of the request, far beyond the timeout', () => {
    datapath.program(servicePort(addresses, transport));
    datapath.ingress(asks('S'));
    for (let i = 0; i < 10; i++) {
      goBy(STEP_NS);
      expect(datapath.egress(answers('SA')).verdict).toBe('next');
      expect(expire(datapath)).toEqual({ inUse: 1, expired: 0 });
    }
    expect(datapath.entries).toBe(2);
    const counted = datapath.counted(() => datapath.ingress(asks('A')));
    expect(counted).toEqual({});
  });

  test('requests alone keep all four entries of a masqueraded flow', () => {
    datapath.program(servicePort(addresses, transport));
    const forwarded = (flags: string): void => {
      const arrived = datapath.ingress(asks(flags, externalIP));
      expect(datapath.egress(arrived.packet, arrived.mark).verdict).toBe('next');
    };
    forwarded('S');
    for (let i = 0; i < 10; i++) {
      goBy(STEP_NS);
      expect(datapath.counted(() => forwarded('PA'))).toEqual({});
      expect(expire(datapath)).toEqual({ inUse: 1, expired: 0 });
    }
    expect(datapath.entries).toBe(4);
    const [{ sourcePort } = { sourcePort: 0 }] = datapath.flows();
    const reply = segment(transport, {
      ...{ source: endpoint, destination: node, sourcePort: TARGET_PORT, destinationPort: sourcePort, flags: 'SA' },
    });
    expect(datapath.ingress(reply).packet).toBePacket(changed(reply, { destination: client, destinationPort: CLIENT_PORT }));
  });

  test('silence for as long ends it', () => {
    datapath.program(servicePort(addresses, transport));
    datapath.ingress(asks('S'));
    goBy(STEP_NS);
    goBy(STEP_NS);
    expect(expire(datapath)).toEqual({ inUse: 0, expired: 1 });
    expect(datapath.entries).toBe(0);
  });

  test('a packet that another processor stamped a moment later than this one looked is not too old', () => {
    datapath.program(servicePort(addresses, transport));
    datapath.ingress(asks('S'));
    goBy(-100n * SECOND_NS);
    expect(expire(datapath)).toEqual({ inUse: 1, expired: 0 });
  });
});
