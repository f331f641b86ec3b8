// The plain path: destinations are translated on the way in, sources on the way out.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CLIENT_PORT, PORT, servicePort, TARGET_PORT, V4 } from './cluster.ts';
import { Datapath } from './datapath.ts';
import { changed, tcp } from './packet/packet.ts';
import './packet/to-be-packet.ts';

let datapath: Datapath;
beforeAll(async () => {
  datapath = await Datapath.load();
});
beforeEach(() => datapath.forgetFlows());
afterAll(() => datapath.close());

describe('a ClusterIP over IPv4 and TCP', () => {
  test('a SYN reaches the endpoint, with nothing else changed', () => {
    datapath.program(servicePort(V4, 'TCP'));
    const syn = tcp({ source: V4.client, destination: V4.clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT });
    const { verdict, packet } = datapath.ingress(syn);
    expect(verdict).toBe('next');
    expect(packet).toBePacket(changed(syn, { destination: V4.endpoint, destinationPort: TARGET_PORT }));
  });
});
