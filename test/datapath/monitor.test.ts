// What `turnout monitor` gets, and that nobody else pays for it.
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { addressText } from '../../src/datapath/address.ts';
import {
  Counter,
  type Event,
  EventKind,
  LB_MONITOR_SIZE,
  readEvent,
  readMonitor,
  writeMonitor,
} from '../../src/datapath/layout.gen.ts';
import { RingBuffer } from '../../src/native/ring-buffer.ts';
import { CASES, CLIENT_PORT, PORT, segment, servicePort, TARGET_PORT } from './cluster.ts';
import { Datapath } from './datapath.ts';
import { octetsOf } from './packet/write-packet.ts';

const LEASE_NS = 60_000_000_000n;
const ALL_KINDS = 0xf;

let datapath: Datapath;
beforeAll(async () => {
  datapath = await Datapath.load();
});
beforeEach(() => datapath.forgetFlows());
afterAll(() => datapath.close());

describe.each(CASES)('over $title', ({ addresses, transport }) => {
  const ends = { source: addresses.client, destination: addresses.clusterIP };
  const open = (sourcePort: number): unknown =>
    datapath.ingress(segment(transport, { ...ends, sourcePort, destinationPort: PORT }));

  test('a new flow is told with its Service and backend', async () => {
    datapath.program(servicePort(addresses, transport));
    const [event, ...others] = await monitored(ALL_KINDS, 1, () => open(CLIENT_PORT));
    expect(others).toEqual([]);
    expect(event).toMatchObject({ kind: EventKind.LB_EVENT_FLOW_NEW, reason: Counter.LB_FLOW_NEW, ifindex: 1 });
    expect([addressText(event!.source), event!.sourcePort]).toEqual([addresses.client, CLIENT_PORT]);
    expect([addressText(event!.destination), event!.destinationPort]).toEqual([addresses.clusterIP, PORT]);
    expect([addressText(event!.backend), event!.backendPort]).toEqual([addresses.endpoint, TARGET_PORT]);
    expect(datapath.tables.names().get(event!.serviceId)?.name).toBe('web');
  });

  test('later packets of a flow are no events', async () => {
    datapath.program(servicePort(addresses, transport));
    const events = await monitored(ALL_KINDS, 2, () => {
      for (const sourcePort of [CLIENT_PORT, CLIENT_PORT, CLIENT_PORT, CLIENT_PORT + 1]) open(sourcePort);
    });
    expect(events.map(({ sourcePort }) => sourcePort)).toEqual([CLIENT_PORT, CLIENT_PORT + 1]);
  });

  test('a reject and a drop are told with their Service', async () => {
    datapath.program(servicePort(addresses, transport, { clusterEndpoints: [] }));
    const [rejected] = await monitored(ALL_KINDS, 1, () => open(CLIENT_PORT));
    datapath.program(servicePort(addresses, transport, { internalTrafficPolicy: 'Local' }));
    const [dropped] = await monitored(ALL_KINDS, 1, () => open(CLIENT_PORT));
    const serviceId = [...datapath.tables.names().keys()][0];
    expect(rejected).toMatchObject({ kind: EventKind.LB_EVENT_REJECTED, reason: Counter.LB_REJECT_SENT });
    expect(dropped).toMatchObject({ kind: EventKind.LB_EVENT_REFUSED, reason: Counter.LB_DROP_NO_LOCAL_ENDPOINT, serviceId });
  });

  test('only the kinds that are asked for are told', async () => {
    datapath.program(servicePort(addresses, transport));
    const events = await monitored(1 << EventKind.LB_EVENT_REFUSED, 1, () => {
      open(CLIENT_PORT);
      datapath.program(servicePort(addresses, transport, { internalTrafficPolicy: 'Local' }));
      open(CLIENT_PORT + 1);
    });
    expect(events.map(({ kind }) => kind)).toEqual([EventKind.LB_EVENT_REFUSED]);
  });
});

test('once nobody has renewed the lease nothing is told, and nothing counts as missed', async () => {
  const { addresses, transport } = CASES[0]!;
  datapath.program(servicePort(addresses, transport));
  const packet = (sourcePort: number) =>
    segment(transport, { source: addresses.client, destination: addresses.clusterIP, sourcePort, destinationPort: PORT });
  const before = missed();
  const events = await monitored(ALL_KINDS, 1, () => {
    lease(ALL_KINDS, 1n); // long over
    datapath.ingress(packet(CLIENT_PORT));
    lease(ALL_KINDS, monotonicNs() + LEASE_NS);
    datapath.ingress(packet(CLIENT_PORT + 1));
  });
  expect(events.map(({ sourcePort }) => sourcePort)).toEqual([CLIENT_PORT + 1]);
  expect(missed()).toBe(before);
});

test('a flood is told in part, and the rest counts as missed', async () => {
  const { addresses, transport } = CASES[0]!;
  datapath.program(servicePort(addresses, transport, { internalTrafficPolicy: 'Local' }));
  const packet = { source: addresses.client, destination: addresses.clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT };
  const data = octetsOf(segment(transport, packet));
  const repeat = 10_000; // some milliseconds, and 100 are told each ten
  const before = missed();
  const events = await monitored(ALL_KINDS, 1, () => {
    datapath.object.program('tc_ingress').testRun({ data, repeat, outputSize: 2048 });
  });
  expect(missed() - before).toBeGreaterThan(0n);
  expect(events.length + Number(missed() - before)).toBe(repeat);
});

const monotonicNs = (): bigint => process.hrtime.bigint();

const missed = (): bigint => readMonitor(datapath.map('monitor').mmap()).missed;

function lease(kinds: number, untilNs: bigint): void {
  const row = new Uint8Array(LB_MONITOR_SIZE);
  writeMonitor(row, 0, { untilNs, missed: missed(), kinds });
  datapath.map('monitor').mmap().set(row);
}

/** What is told while `action` runs: `atLeast` events, and whatever comes with them. */
async function monitored(kinds: number, atLeast: number, action: () => void): Promise<Event[]> {
  const events: Event[] = [];
  const ring = new RingBuffer(datapath.map('monitored'), (record) => events.push(readEvent(record)));
  lease(kinds, monotonicNs() + LEASE_NS);
  try {
    action();
    await vi.waitFor(() => expect(events.length).toBeGreaterThanOrEqual(atLeast));
    return events;
  } finally {
    lease(0, 0n);
    ring.close();
  }
}
