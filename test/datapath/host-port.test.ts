// The host's port: at the node's end addresses become aliases and back, at the other the Service is found as for a pod.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { addressOctets } from '../../src/datapath/address.ts';
import { DeviceFlag } from '../../src/datapath/layout.gen.ts';
import {
  CASES,
  CLIENT_PORT,
  CLUSTER_CIDRS,
  FAMILIES,
  PORT,
  portsOf,
  segment,
  servicePort,
  TARGET_PORT,
  type Transport,
  V4,
  V6,
} from './cluster.ts';
import { Datapath, type Outcome } from './datapath.ts';
import { changed, icmp, type Packet, raw } from './packet/packet.ts';
import { readPacket } from './packet/read-packet.ts';
import './packet/to-be-packet.ts';
import { checksumField, ipOctets } from './packet/write-packet.ts';

const ALIASES = { IPv4: '169.254.116.1', IPv6: 'fd74:7572:6e6f:7574::1' } as const;
const SOURCES = { v4: '192.0.2.200', v6: '2001:db8::200' }; // of the device that packets leave by
const QUOTED_L4 = 8;

async function loaded(flag: number, flags: Readonly<Record<string, string>> = {}): Promise<Datapath> {
  const datapath = await Datapath.load({ flags, device: { flags: flag }, sources: SOURCES });
  for (const { family, node } of [V4, V6]) {
    const [address, alias] = [addressOctets(node), addressOctets(ALIASES[family])];
    datapath.map('host_aliases').set(address, alias);
    datapath.map('host_aliases').set(alias, address);
  }
  return datapath;
}

const between = (transport: Transport, source: string, sourcePort: number, destination: string, port: number): Packet =>
  segment(transport, { source, sourcePort, destination, destinationPort: port });

/** "Too big" of `from` to `to` about a packet; `before` keeps the inner checksum, which nobody rewrites. */
function errorAbout(about: Packet, { from, to, before = about }: { from: string; to: string; before?: Packet }): Packet {
  const inner = { ...about, l4: { ...about.l4, checksum: checksumField(before) } } as Packet;
  const [header, code] = about.ip.version === 4 ? [20, { type: 3, code: 4 }] : [40, { type: 2, code: 0 }];
  const payload = ipOctets(inner).slice(0, header + QUOTED_L4);
  return icmp({ source: from, destination: to, ...code, rest: 1400, payload });
}

describe("the node's end", () => {
  let datapath: Datapath;
  beforeAll(async () => {
    datapath = await loaded(DeviceFlag.LB_DEVICE_HOST_END);
  });
  afterAll(() => datapath?.close());

  const expectRewritten = (hook: 'hostIngress' | 'hostEgress', sent: Packet, expected: Packet): void => {
    const outcome = datapath[hook](sent);
    expect(outcome.verdict).toBe('next');
    expect(outcome.packet).toBePacket(expected);
  };

  describe.each(CASES)('$title', ({ addresses, transport }) => {
    const { clusterIP, family, node, stranger: router } = addresses;
    const alias = ALIASES[family];

    test('gives what leaves the alias of its source', () => {
      const sent = between(transport, node, CLIENT_PORT, clusterIP, PORT);
      expectRewritten('hostEgress', sent, changed(sent, { source: alias }));
    });

    test('gives what arrives for an alias its address', () => {
      const sent = between(transport, clusterIP, PORT, alias, CLIENT_PORT);
      expectRewritten('hostIngress', sent, changed(sent, { destination: node }));
    });

    test('turns the packet inside an error that arrives', () => {
      const about = between(transport, alias, CLIENT_PORT, clusterIP, PORT);
      const own = changed(about, { source: node });
      const expected = errorAbout(own, { from: router, to: node, before: about });
      expectRewritten('hostIngress', errorAbout(about, { from: router, to: alias }), expected);
    });

    test('turns the packet inside an error that the node sends', () => {
      const about = between(transport, clusterIP, PORT, node, CLIENT_PORT);
      const seen = changed(about, { destination: alias });
      const expected = errorAbout(seen, { from: alias, to: clusterIP, before: about });
      expectRewritten('hostEgress', errorAbout(about, { from: node, to: clusterIP }), expected);
    });

    test.each(['hostIngress', 'hostEgress'] as const)('%s drops and counts what has no alias', (hook) => {
      const counted = datapath.counted(() => {
        expect(datapath[hook](between(transport, router, CLIENT_PORT, router, PORT)).verdict).toBe('drop');
      });
      expect(counted).toEqual({ drop_no_alias: 1 });
    });
  });

  test.each(FAMILIES)('drops what is no protocol of Services: $title', ({ addresses }) => {
    const sent = raw({ source: addresses.node, destination: addresses.clusterIP, protocol: 47, payload: new Uint8Array(16) });
    expect(datapath.hostEgress(sent).verdict).toBe('drop');
  });
});

describe("the datapath's end", () => {
  let datapath: Datapath;
  let withDetector: Datapath;
  beforeAll(async () => {
    datapath = await loaded(DeviceFlag.LB_DEVICE_HOST);
    withDetector = await loaded(DeviceFlag.LB_DEVICE_HOST, { 'cluster-cidr': CLUSTER_CIDRS });
  });
  beforeEach(() => {
    datapath.forgetFlows();
    withDetector.forgetFlows();
  });
  afterAll(() => {
    datapath?.close();
    withDetector?.close();
  });

  describe.each(CASES)('$title', ({ addresses, transport }) => {
    const { clusterIP, endpoint, externalIP, family, node, stranger } = addresses;
    const alias = ALIASES[family];
    const source = family === 'IPv4' ? SOURCES.v4 : SOURCES.v6;
    const request = between(transport, alias, CLIENT_PORT, clusterIP, PORT);

    /** What leaves the node of a packet that came in over the port. */
    const leaving = (through: Datapath, sent: Packet): Outcome => {
      const arrived = through.ingress(sent);
      expect(arrived.packet).toBePacket(changed(sent, { destination: endpoint, destinationPort: TARGET_PORT }));
      return through.egress(arrived.packet, arrived.mark);
    };

    test("without a detector the node's own address leaves, with a port of ours; the reply comes to the alias", () => {
      datapath.program(servicePort(addresses, transport));
      const left = readPacket(leaving(datapath, request).packet);
      const { sourcePort } = portsOf(left);
      expect(left).toMatchObject({ ip: { source: node, destination: endpoint } });
      expect(sourcePort).toBeGreaterThanOrEqual(10_240);
      expect(sourcePort).toBeLessThanOrEqual(29_999);
      const reply = between(transport, endpoint, TARGET_PORT, node, sourcePort);
      const returned = datapath.ingress(reply);
      expect(returned.packet).toBePacket(changed(reply, { destination: alias, destinationPort: CLIENT_PORT }));
      const answer = between(transport, clusterIP, PORT, alias, CLIENT_PORT);
      expect(datapath.egress(returned.packet).packet).toBePacket(answer);
    });

    test('with a detector it is masqueraded, as what is not from a pod', () => {
      withDetector.program(servicePort(addresses, transport));
      const left = readPacket(leaving(withDetector, request).packet);
      expect(left).toMatchObject({ ip: { source, destination: endpoint } });
    });

    test('policy Local of an external frontend does not bind the node', () => {
      datapath.program(servicePort(addresses, transport, { externalTrafficPolicy: 'Local' }));
      const left = readPacket(leaving(datapath, changed(request, { destination: externalIP })).packet);
      expect(left).toMatchObject({ ip: { source, destination: endpoint } });
    });

    test('source ranges mean the address behind the alias', () => {
      const toLoadBalancer = changed(request, { destination: addresses.loadBalancerIP });
      const bits = family === 'IPv4' ? 32 : 128;
      datapath.program(servicePort(addresses, transport, { sourceRanges: [`${node}/${bits}`] }));
      expect(datapath.counted(() => datapath.ingress(toLoadBalancer))).toEqual({ flow_new: 1 });
      datapath.forgetFlows();
      datapath.program(servicePort(addresses, transport, { sourceRanges: [`${alias}/${bits}`] }));
      expect(datapath.counted(() => datapath.ingress(toLoadBalancer))).toEqual({ drop_source_range: 1 });
    });

    test('a port that a ClusterIP does not have is refused, as for everybody', () => {
      datapath.program(servicePort(addresses, transport));
      expect(datapath.ingress(changed(request, { destinationPort: PORT + 1 })).verdict).toBe('redirect');
    });

    test.each(['ingress', 'egress'] as const)('%s drops and counts what is no Service and no flow', (hook) => {
      datapath.program(servicePort(addresses, transport));
      const counted = datapath.counted(() => {
        expect(datapath[hook](changed(request, { destination: stranger })).verdict).toBe('drop');
      });
      expect(counted).toEqual({ drop_host_port: 1 });
    });

    test('is refused without endpoints, and the refusal finds its way to the node', () => {
      datapath.program(servicePort(addresses, transport, { clusterEndpoints: [] }));
      const refused = datapath.ingress(request);
      expect(refused.verdict).toBe('redirect');
      expect(datapath.egress(refused.packet).verdict).toBe('next'); // the hook on its way out of the device
    });
  });

  test.each(FAMILIES)('pings are dropped, errors about nothing too, unless they go to the node: $title', ({ addresses }) => {
    const { clusterIP, family, stranger } = addresses;
    const [alias, echo] = [ALIASES[family], family === 'IPv4' ? 8 : 128];
    const ping = icmp({ source: alias, destination: clusterIP, type: echo, code: 0, rest: 1, payload: new Uint8Array(8) });
    const error = errorAbout(between('UDP', stranger, 1, alias, 2), { from: alias, to: stranger });
    for (const sent of [ping, error]) expect(datapath.ingress(sent).verdict).toBe('drop');
    expect(datapath.egress(ping).verdict).toBe('drop');
    expect(datapath.egress(error).verdict).toBe('next');
  });
});
