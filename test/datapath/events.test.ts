// Every refusal has a name: the rarer ones, and the event that people read.
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { addressText } from '../../src/datapath/address.ts';
import { Counter, Direction, type Event, EventKind, readEvent } from '../../src/datapath/layout.gen.ts';
import { RingBuffer } from '../../src/native/ring-buffer.ts';
import { CASES, CLIENT_PORT, frontendsOf, PORT, segment, servicePort } from './cluster.ts';
import { Datapath } from './datapath.ts';
import type { Packet } from './packet/packet.ts';
import { octetsOf } from './packet/write-packet.ts';

const SETTLE_MS = 50; // events of one reason and CPU are 10 ms apart at least; the clock of the programs is coarse
const PROTOCOLS = { TCP: 6, UDP: 17, SCTP: 132 };

let datapath: Datapath;
let withOnePort: Datapath;
beforeAll(async () => {
  datapath = await Datapath.load();
  withOnePort = await Datapath.load({ variables: { snatPortMin: 20000, snatPortMax: 20000 } });
});
beforeEach(() => {
  datapath.forgetFlows();
  withOnePort.forgetFlows();
});
afterAll(() => {
  datapath.close();
  withOnePort.close();
});

describe.each(CASES)('over $title', ({ addresses, transport }) => {
  const toService = (fields = {}): Packet =>
    segment(transport, {
      ...{ source: addresses.client, destination: addresses.clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT },
      ...fields,
    });
  const withoutLocal = servicePort(addresses, transport, { internalTrafficPolicy: 'Local' });

  test('a third flow of one client port to one endpoint finds no port in between, and is dropped by that name', () => {
    withOnePort.program(servicePort(addresses, transport));
    const [, , external, loadBalancer] = frontendsOf(addresses).map(({ address }) => toService({ destination: address }));
    for (const packet of [toService(), external!]) expect(withOnePort.ingress(packet).verdict).toBe('next');
    const counted = withOnePort.counted(() => {
      expect(withOnePort.ingress(loadBalancer!)).toMatchObject({ verdict: 'drop', packet: octetsOf(loadBalancer!) });
    });
    expect(counted).toEqual({ drop_port_collision: 1 });
    expect([withOnePort.flows().length, withOnePort.ingress(external!).verdict]).toEqual([2, 'next']);
  });

  test('a list whose rows have become those of another Service is not read', () => {
    datapath.program(servicePort(addresses, transport));
    const [{ frontend } = { frontend: null }] = datapath.tables.frontends();
    const row = frontend!.cluster.base;
    datapath.tables.writeBackend(row, { ...datapath.tables.readBackend(row), serviceId: frontend!.serviceId + 1 });
    const counted = datapath.counted(() => {
      expect(datapath.ingress(toService())).toMatchObject({ verdict: 'drop', packet: octetsOf(toService()) });
    });
    expect(counted).toEqual({ drop_stale_list: 1 });
    datapath.program();
  });

  test('a refusal is told with the packet, the device and the reason', async () => {
    datapath.program(withoutLocal);
    const events = await eventsOf(datapath, () => datapath.ingress(toService()));
    const { source, destination, ...rest } = events[0]!;
    expect({ source: addressText(source), destination: addressText(destination), ...rest }).toEqual({
      ...{ source: addresses.client, destination: addresses.clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT },
      ...{ timeNs: expect.any(BigInt), ifindex: 1, protocol: PROTOCOLS[transport], direction: Direction.LB_IN },
      ...{ kind: EventKind.LB_EVENT_REFUSED, reason: Counter.LB_DROP_NO_LOCAL_ENDPOINT },
      ...{ backend: new Uint8Array(16), backendPort: 0, serviceId: [...datapath.tables.names().keys()][0] },
    });
  });

  test('a burst of refusals is told a few times and counted in full', async () => {
    datapath.program(withoutLocal);
    let counted = {};
    const events = await eventsOf(datapath, () => {
      counted = datapath.counted(() => {
        for (let i = 0; i < 200; i++) datapath.ingress(toService({ sourcePort: CLIENT_PORT + i }));
      });
    });
    expect(counted).toEqual({ drop_no_local_endpoint: 200 });
    expect(events.length).toBeLessThan(100); // one each 10 ms and CPU; the burst takes a few milliseconds
  });
});

/** What the programs report while `action` runs. Earlier records have arrived by then, and their window is over. */
async function eventsOf(loaded: Datapath, action: () => void): Promise<Event[]> {
  const events: Event[] = [];
  const ring = new RingBuffer(loaded.map('events'), (record) => events.push(readEvent(record)));
  try {
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
    events.length = 0;
    action();
    await vi.waitFor(() => expect(events.length).toBeGreaterThan(0));
    return [...events];
  } finally {
    ring.close();
  }
}
