// Which port of the node a masqueraded flow gets, and when one is free again.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CASES, CLIENT_PORT, PORT, portsOf, segment, servicePort, TARGET_PORT, TRACKED } from './cluster.ts';
import { Datapath } from './datapath.ts';
import { expire } from './expire.ts';
import { readPacket } from './packet/read-packet.ts';

const ONE = { snatPortMin: 15000, snatPortMax: 15000 };
const TIMEOUTS = Object.fromEntries(['tcpSynNs', 'udpUnrepliedNs', 'sctpInitNs'].map((name) => [name, 0n]));

let datapath: Datapath;
let withOnePort: Datapath;
let impatient: Datapath;
beforeAll(async () => {
  datapath = await Datapath.load();
  withOnePort = await Datapath.load({ variables: ONE });
  impatient = await Datapath.load({ variables: { ...ONE, ...TIMEOUTS } });
});
beforeEach(() => {
  for (const loaded of [datapath, withOnePort, impatient]) loaded.forgetFlows();
});
afterAll(() => {
  for (const loaded of [datapath, withOnePort, impatient]) loaded.close();
});

describe.each(CASES)('over $title', ({ addresses, transport }) => {
  const { client, externalIP, endpoint, node, stranger } = addresses;
  const asks = (fields = {}) =>
    segment(transport, { source: client, destination: externalIP, sourcePort: CLIENT_PORT, destinationPort: PORT, ...fields });
  const forwarded = (through: Datapath, fields = {}) => {
    const arrived = through.ingress(asks(fields));
    return through.egress(arrived.packet, arrived.mark);
  };
  const portOf = (through: Datapath, fields = {}): number => portsOf(readPacket(forwarded(through, fields).packet)).sourcePort;

  test('a flow whose entries were lost finds the same port again, so that its connection goes on', () => {
    datapath.program(servicePort(addresses, transport));
    const ports = Array.from({ length: 5 }, () => {
      datapath.forgetFlows();
      return portOf(datapath);
    });
    expect(new Set(ports).size).toBe(1);
  });

  test('a port is one for each endpoint: others have it too', () => {
    withOnePort.program(servicePort(addresses, transport));
    expect(portOf(withOnePort)).toBe(ONE.snatPortMin);
    const other = { name: 'other', externalIPs: [stranger], loadBalancerVIPs: [], nodePort: 0, clusterIP: addresses.pod };
    const elsewhere = { ip: addresses.otherEndpoint, port: TARGET_PORT, isLocal: false };
    withOnePort.program(
      servicePort(addresses, transport),
      servicePort(addresses, transport, {
        ...other,
        clusterEndpoints: [{ ...elsewhere, ready: true, serving: true, terminating: false }],
      }),
    );
    expect(portOf(withOnePort, { destination: stranger })).toBe(ONE.snatPortMin);
  });

  test('when the flow that has the last port falls silent, the next one gets it', () => {
    impatient.program(servicePort(addresses, transport));
    expect(portOf(impatient)).toBe(ONE.snatPortMin);
    // The kernel's coarse clock ticks every few milliseconds: a pass of the expiry ends the flow as soon as it has ticked.
    while (expire(impatient).inUse > 0);
    expect(impatient.counted(() => expect(portOf(impatient, { source: stranger })).toBe(ONE.snatPortMin))).toEqual({
      ...{ flow_new: 1, snat_allocated: 1 },
    });
  });

  test.runIf(transport !== 'UDP')('when the flow that has the last port is reset, the next one gets it at once', () => {
    withOnePort.program(servicePort(addresses, transport));
    const first = forwarded(withOnePort);
    expect(withOnePort.counted(() => expect(forwarded(withOnePort, { source: stranger }).verdict).toBe('drop'))).toEqual({
      ...{ flow_new: 1, drop_snat_exhausted: 1 },
    });
    const reset = segment(transport, {
      ...{ source: endpoint, destination: node, sourcePort: TARGET_PORT, destinationPort: ONE.snatPortMin, flags: 'RA' },
    });
    withOnePort.egress(withOnePort.ingress(reset).packet);
    expect(portsOf(readPacket(first.packet)).sourcePort).toBe(ONE.snatPortMin);
    expect(portOf(withOnePort, { source: stranger })).toBe(ONE.snatPortMin);
  });
});

describe.each(TRACKED)('over $title', ({ addresses, transport }) => {
  const any = addresses.family === 'IPv4' ? '0.0.0.0' : '::';

  /** A socket of this machine that would take what is sent to its port, and how to close it. */
  async function listen(): Promise<{ port: number; close: () => Promise<unknown> }> {
    if (transport === 'UDP') {
      const socket = createSocket({ type: addresses.family === 'IPv4' ? 'udp4' : 'udp6', ipv6Only: addresses.family === 'IPv6' });
      socket.bind(0, any);
      await once(socket, 'listening');
      return { port: socket.address().port, close: () => once(socket.close(), 'close') };
    }
    const server = createServer().listen({ port: 0, host: any, ipv6Only: addresses.family === 'IPv6' });
    await once(server, 'listening');
    return { port: (server.address() as AddressInfo).port, close: () => once(server.close(), 'close') };
  }

  test('a port of a socket of this node is not given out, until the socket is closed', async () => {
    const { port, close } = await listen();
    const ranged = await Datapath.load({ variables: { snatPortMin: port, snatPortMax: port } });
    try {
      ranged.program(servicePort(addresses, transport));
      const ends = {
        source: addresses.client,
        destination: addresses.externalIP,
        sourcePort: CLIENT_PORT,
        destinationPort: PORT,
      };
      const verdict = (): string => {
        const arrived = ranged.ingress(segment(transport, ends));
        return ranged.egress(arrived.packet, arrived.mark).verdict;
      };
      expect(verdict()).toBe('drop');
      await close();
      expect(verdict()).toBe('next');
    } finally {
      ranged.close();
    }
  });
});
