// Bridge ports: only what is addressed to the bridge starts a flow, and a reply between two ports is steered to the bridge.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DeviceFlag } from '../../src/datapath/layout.gen.ts';
import { CASES, CLIENT_PORT, endpoint, PORT, segment, servicePort, TARGET_PORT } from './cluster.ts';
import { Datapath } from './datapath.ts';
import { expire } from './expire.ts';
import { changed, OTHER_MAC, type Packet, PEER_MAC } from './packet/packet.ts';
import './packet/to-be-packet.ts';
import { macOctets, octetsOf } from './packet/write-packet.ts';

const BRIDGE_MAC = '02:00:00:00:00:b1';

let datapath: Datapath;
let impatient: Datapath;
beforeAll(async () => {
  const device = { flags: DeviceFlag.LB_DEVICE_BRIDGE_PORT, mac: macOctets(BRIDGE_MAC) };
  datapath = await Datapath.load({ device });
  impatient = await Datapath.load({ device, variables: { tcpSynNs: 0n, udpUnrepliedNs: 0n, sctpInitNs: 0n } });
});
beforeEach(() => {
  datapath.forgetFlows();
  impatient.forgetFlows();
});
afterAll(() => {
  datapath?.close();
  impatient?.close();
});

describe.each(CASES)('over $title', ({ addresses, transport }) => {
  const target = { destination: addresses.endpoint, destinationPort: TARGET_PORT };
  const asks = (destinationMac: string, fields = {}): Packet =>
    segment(transport, {
      ...{ source: addresses.pod, destination: addresses.clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT },
      ethernet: { source: PEER_MAC, destination: destinationMac },
      ...fields,
    });
  /** Of an endpoint on the same bridge, to the pod's own station. */
  const replies = (fields = {}): Packet =>
    segment(transport, {
      ...{ source: addresses.endpoint, destination: addresses.pod, sourcePort: TARGET_PORT, destinationPort: CLIENT_PORT },
      ethernet: { source: OTHER_MAC, destination: PEER_MAC },
      flags: 'SA',
      ...fields,
    });

  test('a packet to the bridge is translated', () => {
    datapath.program(servicePort(addresses, transport));
    expect(datapath.ingress(asks(BRIDGE_MAC)).packet).toBePacket(changed(asks(BRIDGE_MAC), target));
  });

  test('a packet to another station passes unchanged, also of a flow that there is', () => {
    datapath.program(servicePort(addresses, transport));
    expect(datapath.ingress(asks(OTHER_MAC)).packet).toBePacket(asks(OTHER_MAC));
    expect(datapath.flows()).toEqual([]);
    datapath.ingress(asks(BRIDGE_MAC));
    expect(datapath.ingress(asks(OTHER_MAC)).packet).toBePacket(asks(OTHER_MAC));
  });

  test('a Service without endpoints refuses only what is addressed to the bridge', () => {
    datapath.program(servicePort(addresses, transport, { clusterEndpoints: [] }));
    expect(datapath.ingress(asks(OTHER_MAC))).toMatchObject({ verdict: 'next', packet: octetsOf(asks(OTHER_MAC)) });
    expect(datapath.ingress(asks(BRIDGE_MAC)).verdict).toBe('redirect');
  });

  test('the reply of an endpoint on the same bridge goes to the bridge, then out with the address that was asked', () => {
    datapath.program(servicePort(addresses, transport));
    datapath.ingress(asks(BRIDGE_MAC));
    const steered = datapath.ingress(replies());
    expect(steered.verdict).toBe('next');
    expect(steered.packet).toBePacket(changed(replies(), { destinationMac: BRIDGE_MAC }));
    expect(datapath.egress(steered.packet).packet).toBePacket(
      changed(replies(), { destinationMac: BRIDGE_MAC, source: addresses.clusterIP, sourcePort: PORT }),
    );
  });

  test('a steered flow ends with all of its entries', () => {
    impatient.program(servicePort(addresses, transport));
    impatient.ingress(asks(BRIDGE_MAC));
    expect(impatient.entries).toBe(3); // client in, reply out, steer in
    // The kernel's coarse clock ticks every few milliseconds: a pass of the expiry ends the flow as soon as it has ticked.
    while (expire(impatient).inUse > 0);
    expect(impatient.entries).toBe(0);
  });

  test('what the endpoint sends the pod apart from that is not steered', () => {
    datapath.program(servicePort(addresses, transport));
    datapath.ingress(asks(BRIDGE_MAC));
    for (const other of [replies({ destinationPort: CLIENT_PORT + 1 }), replies({ source: addresses.otherEndpoint })]) {
      expect(datapath.ingress(other).packet).toBePacket(other);
    }
  });

  test('a pod that reaches itself is masqueraded, not steered', () => {
    datapath.program(servicePort(addresses, transport, { clusterEndpoints: [endpoint(addresses.pod)] }));
    const { packet, mark } = datapath.ingress(asks(BRIDGE_MAC));
    expect(mark).toBe(0x4000);
    expect(packet).toBePacket(changed(asks(BRIDGE_MAC), { ...target, destination: addresses.pod }));
    expect(datapath.entries).toBe(3); // client in, reply out, forward out; the source comes at egress
  });
});
