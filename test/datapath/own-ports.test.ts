// Packets to this node and a port that it gives to masqueraded flows: somebody must know them.
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FAMILIES, segment, servicePort, V4 } from './cluster.ts';
import { Datapath } from './datapath.ts';
import { tcp } from './packet/packet.ts';
import { octetsOf } from './packet/write-packet.ts';

let datapath: Datapath;
beforeAll(async () => {
  datapath = await Datapath.load();
});
afterAll(() => datapath.close());

describe.each(FAMILIES)('a packet over $title to this node and a port of the SNAT range', ({ addresses }) => {
  const toNode = { source: addresses.client, destination: addresses.node, sourcePort: 5555, destinationPort: 23456 };

  test.each([
    ['TCP', 'A', { drop_no_flow: 1 }],
    ['TCP', 'SA', { drop_no_flow: 1 }],
    ['UDP', '', { drop_no_flow: 1 }],
    ['TCP', 'S', {}],
  ] as const)('that no flow explains (%s %s) counts %o and stays unchanged', (transport, flags, expected) => {
    const packet = segment(transport, { ...toNode, flags });
    const counted = datapath.counted(() => {
      const verdict = 'drop_no_flow' in expected ? 'drop' : 'next';
      expect(datapath.ingress(packet)).toEqual({ verdict, packet: octetsOf(packet), mark: 0 });
    });
    expect(counted).toEqual(expected);
  });

  test('passes below and above the range, and at addresses of others', () => {
    for (const fields of [{ destinationPort: 10239 }, { destinationPort: 30000 }, { destination: addresses.stranger }]) {
      expect(datapath.ingress(segment('TCP', { ...toNode, flags: 'A', ...fields })).verdict).toBe('next');
    }
  });
});

test('a packet to a socket of this node passes, whatever its port', async () => {
  const server = createServer().listen(0, '0.0.0.0');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const ranged = await Datapath.load({ variables: { snatPortMin: port, snatPortMax: port } });
  datapath.program(servicePort(V4, 'TCP', { nodePort: port }));
  const packet = tcp({ source: V4.client, destination: V4.node, sourcePort: 5555, destinationPort: port, flags: 'A' });
  const verdicts = (): string[] => [ranged.ingress(packet).verdict, datapath.ingress(packet).verdict];
  expect(verdicts()).toEqual(['next', 'next']);
  server.close();
  await once(server, 'close');
  expect(verdicts()).toEqual(['drop', 'drop']);
  ranged.close();
});
