// What each Service and endpoint did: counted once for each packet, in the flow's row while it lives, in theirs once it has ended.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { FlowState, Stats } from '../../src/datapath/layout.gen.ts';
import { CASES, CLIENT_PORT, endpoint, NODE_PORT, PORT, segment, servicePort, TARGET_PORT } from './cluster.ts';
import { Datapath } from './datapath.ts';
import { expire } from './expire.ts';
import { readPacket } from './packet/read-packet.ts';
import { octetsOf } from './packet/write-packet.ts';

const ETHERNET_OCTETS = 14;
const NOTHING = {
  connections: 0n,
  rejects: 0n,
  drops: 0n,
  requestPackets: 0n,
  requestBytes: 0n,
  replyPackets: 0n,
  replyBytes: 0n,
};

let datapath: Datapath;
let shortLived: Datapath;
beforeAll(async () => {
  datapath = await Datapath.load();
  const one = { tcpSynNs: 1n, tcpEstablishedNs: 1n, udpUnrepliedNs: 1n, udpStreamNs: 1n, sctpInitNs: 1n, sctpEstablishedNs: 1n };
  shortLived = await Datapath.load({ variables: one });
});
beforeEach(() => {
  for (const each of [datapath, shortLived]) {
    each.forgetFlows();
    each.program();
  }
});
afterAll(() => {
  datapath.close();
  shortLived.close();
});

describe.each(CASES)('over $title', ({ addresses, transport }) => {
  const { client, clusterIP, node } = addresses;
  const payload = new Uint8Array(100);
  const request = (fields = {}) =>
    segment(transport, {
      source: client,
      destination: clusterIP,
      sourcePort: CLIENT_PORT,
      destinationPort: PORT,
      payload,
      ...fields,
    });
  const reply = (fields = {}) =>
    segment(transport, {
      ...{ source: addresses.endpoint, destination: client, sourcePort: TARGET_PORT, destinationPort: CLIENT_PORT, flags: 'PA' },
      ...fields,
    });
  const octets = (packet: ReturnType<typeof request>): bigint => BigInt(octetsOf(packet).length - ETHERNET_OCTETS);
  const backendIdOf = (of: Datapath): number => {
    const [{ frontend } = { frontend: null }] = of.tables.frontends();
    return of.tables.readBackend(frontend!.cluster.base).backendId;
  };
  const rowsOf = (of: Datapath): { service: Stats; backend: Stats } => {
    const [serviceId] = [...of.tables.names().keys()];
    return { service: of.tables.serviceStats(serviceId!), backend: of.tables.backendStats(backendIdOf(of)) };
  };
  const counted = ({ requestPackets, requestBytes, replyPackets, replyBytes }: FlowState | Stats) => ({
    ...{ requestPackets, requestBytes, replyPackets, replyBytes },
  });

  test('packets and octets of both directions stand in the row of their flow', () => {
    datapath.program(servicePort(addresses, transport));
    for (const packet of [request(), request({ flags: 'PA' })]) expect(datapath.ingress(packet).verdict).toBe('next');
    expect(datapath.egress(reply()).verdict).toBe('next');
    const [flow] = datapath.flows();
    expect(counted(flow!)).toEqual({
      ...{ requestPackets: 2n, requestBytes: octets(request()) + octets(request({ flags: 'PA' })) },
      ...{ replyPackets: 1n, replyBytes: octets(reply()) },
    });
    const { service, backend } = rowsOf(datapath);
    expect(service).toMatchObject({ ...NOTHING, connections: 1n });
    expect(backend).toMatchObject({ ...NOTHING, connections: 1n });
  });

  test('a masqueraded packet meets three hooks and counts once', () => {
    datapath.program(servicePort(addresses, transport));
    const packet = request({ destination: node, destinationPort: NODE_PORT });
    const out = datapath.egress(datapath.ingress(packet).packet);
    const { sourcePort } = readPacket(out.packet).l4 as { sourcePort: number };
    const back = reply({ destination: node, destinationPort: sourcePort });
    expect(datapath.egress(datapath.ingress(back).packet).verdict).toBe('next');
    const [flow] = datapath.flows();
    expect([flow!.requestPackets, flow!.replyPackets]).toEqual([1n, 1n]);
  });

  test("what a flow counted becomes its Service and endpoint's when it ends", () => {
    shortLived.program(servicePort(addresses, transport));
    shortLived.ingress(request());
    shortLived.egress(reply());
    const [flow] = shortLived.flows();
    expire(shortLived);
    expect(shortLived.flows()).toEqual([]);
    const { service, backend } = rowsOf(shortLived);
    expect(counted(service)).toEqual(counted(flow!));
    expect(counted(backend)).toEqual(counted(flow!));
  });

  test('a flow that ends after its endpoint has left counts for the Service alone', () => {
    shortLived.program(servicePort(addresses, transport));
    shortLived.ingress(request());
    const left = backendIdOf(shortLived); // may be given to another endpoint
    shortLived.program(servicePort(addresses, transport, { clusterEndpoints: [endpoint(addresses.otherEndpoint)] }));
    const before = rowsOf(shortLived);
    expire(shortLived);
    const after = rowsOf(shortLived);
    expect(after.service.requestPackets - before.service.requestPackets).toBe(1n);
    expect(after.backend).toEqual(before.backend);
    expect(after.backend.requestPackets).toBe(0n);
    expect(shortLived.tables.backendStats(left).requestPackets).toBe(0n);
  });

  test("an endpoint begins with nothing, also by an id that was another's", () => {
    datapath.program(servicePort(addresses, transport));
    datapath.ingress(request());
    expect(rowsOf(datapath).backend.connections).toBe(1n);
    datapath.program(servicePort(addresses, transport, { clusterEndpoints: [endpoint(addresses.otherEndpoint)] }));
    expect(rowsOf(datapath).backend).toMatchObject({ ...NOTHING, socketsOpen: 0n });
  });

  test('drops count for the Service they were meant for', () => {
    datapath.program(servicePort(addresses, transport, { internalTrafficPolicy: 'Local' }));
    expect(datapath.ingress(request()).verdict).toBe('drop');
    const [serviceId] = [...datapath.tables.names().keys()];
    expect(datapath.tables.serviceStats(serviceId!)).toMatchObject({ ...NOTHING, drops: 1n });
  });
});
