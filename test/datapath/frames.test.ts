// Devices that are not plain Ethernet, and frames that are not ours: without a row, with a VLAN tag, without an Ethernet header.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { configVariables } from '../../src/datapath/layout.gen.ts';
import { BpfObject } from '../../src/native/bpf-object.ts';
import { u32 } from '../native/u32.ts';
import { type Addresses, CASES, CLIENT_PORT, PORT, portsOf, segment, servicePort, TARGET_PORT } from './cluster.ts';
import { compile } from './compile.ts';
import { configured, Datapath, type Outcome, outcomeOf } from './datapath.ts';
import { changed, icmp, type Packet } from './packet/packet.ts';
import { readIp } from './packet/read-packet.ts';
import './packet/to-be-packet.ts';
import { ipOctets, octetsOf } from './packet/write-packet.ts';

type Program = 'tagged_ingress' | 'tagged_egress' | 'host_bound_ingress' | 'host_bound_egress';

/** The programs of frames.bpf.c with the tables of a datapath. */
class Probe {
  readonly datapath: Datapath;
  readonly #object: BpfObject;

  private constructor(datapath: Datapath, object: BpfObject) {
    this.datapath = datapath;
    this.#object = object;
  }

  static async load(path: string, datapath: Datapath): Promise<Probe> {
    const object = BpfObject.open(path);
    const { maps, variables } = object.describe();
    for (const { name } of maps) if (!name.includes('.')) object.reuseMap(name, datapath.map(name));
    const known = new Set(variables.map(({ name }) => name));
    for (const [name, octets] of configVariables(configured({}).config)) if (known.has(name)) object.setVariable(name, octets);
    await object.load();
    return new Probe(datapath, object);
  }

  send(program: Program, packet: Packet | Uint8Array, mark = 0): Outcome {
    return outcomeOf(this.#object.program(program), packet, mark);
  }

  close(): void {
    this.#object.close();
    this.datapath.close();
  }
}

let folder: string;
let probe: Probe;
let bare: Probe;
let datapath: Datapath;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'turnout-frames-'));
  const path = join(folder, 'frames.o');
  compile('frames.bpf.c', path);
  probe = await Probe.load(path, await Datapath.load());
  bare = await Probe.load(path, await Datapath.load({ device: { l2Length: 0 } }));
  datapath = await Datapath.load();
});
beforeEach(() => {
  for (const loaded of [probe?.datapath, bare?.datapath, datapath]) loaded?.forgetFlows();
});
afterAll(() => {
  for (const loaded of [probe, bare, datapath]) loaded?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe.each(CASES)('over $title', ({ addresses, transport }) => {
  const { client, clusterIP, endpoint } = addresses;
  const asks = segment(transport, { source: client, destination: clusterIP, sourcePort: CLIENT_PORT, destinationPort: PORT });
  const answers = segment(transport, {
    ...{ source: endpoint, destination: client, sourcePort: TARGET_PORT, destinationPort: CLIENT_PORT, flags: 'SA' },
  });

  test('a tagged frame passes both hooks unchanged, also of a flow that there is', () => {
    probe.datapath.program(servicePort(addresses, transport));
    const untouched = (program: Program, packet: Packet): void =>
      expect(probe.send(program, packet)).toMatchObject({ verdict: 'next', packet: octetsOf(packet) });
    const counted = probe.datapath.counted(() => untouched('tagged_ingress', asks));
    expect([counted, probe.datapath.flows()]).toEqual([{}, []]);
    // The same without a tag.
    expect(probe.send('host_bound_ingress', asks).packet).toBePacket(
      changed(asks, { destination: endpoint, destinationPort: TARGET_PORT }),
    );
    untouched('tagged_ingress', asks);
    untouched('tagged_egress', answers);
    expect(probe.send('host_bound_egress', answers).packet).toBePacket(changed(answers, { source: clusterIP, sourcePort: PORT }));
  });

  test('a tag in the octets is no IP packet, and passes both hooks unchanged', () => {
    datapath.program(servicePort(addresses, transport));
    const octets = octetsOf(asks);
    const frame = Uint8Array.from([...octets.subarray(0, 12), 0x81, 0, 0, 5, ...octets.subarray(12)]);
    for (const hook of ['ingress', 'egress'] as const) {
      expect(datapath[hook](frame)).toMatchObject({ verdict: 'next', packet: frame });
    }
  });

  test('a device without a row is none of ours, also for a flow that there is', () => {
    datapath.program(servicePort(addresses, transport));
    const devices = datapath.map('devices');
    const row = devices.get(u32(1))!;
    datapath.ingress(asks);
    devices.delete(u32(1));
    try {
      const counted = datapath.counted(() => {
        expect(datapath.ingress(asks)).toMatchObject({ verdict: 'next', packet: octetsOf(asks) });
        expect(datapath.egress(answers)).toMatchObject({ verdict: 'next', packet: octetsOf(answers) });
      });
      expect(counted).toEqual({});
    } finally {
      devices.set(u32(1), row);
    }
  });
});

/**
 * Without an Ethernet header the test run takes the first fourteen octets of the IP packet for one, and the two before the last for the
 * ethertype: so sources here have it where it is looked for.
 */
const bareAddresses = (addresses: Addresses): Addresses =>
  addresses.family === 'IPv4'
    ? { ...addresses, client: '8.0.0.7', endpoint: '8.0.1.20', stranger: '8.0.0.99' }
    : {
        ...addresses,
        ...{ client: '2001:db8:86dd::7', endpoint: '2001:db8:86dd:1::20', stranger: '2001:db8:86dd::99' },
      };

describe.each(CASES.map(({ title, addresses, transport }) => ({ title, addresses: bareAddresses(addresses), transport })))(
  'a device without Ethernet header, over $title',
  ({ addresses, transport }) => {
    const { client, clusterIP, endpoint, externalIP, node, stranger: router } = addresses;
    /** Of datagrams the kernel wants more than a few octets, since it takes fourteen for the frame. */
    const payload = transport === 'UDP' && { payload: new Uint8Array(40) };
    const packet = (source: string, sourcePort: number, destination: string, destinationPort: number, fields = {}): Packet =>
      segment(transport, { source, sourcePort, destination, destinationPort, ...payload, ...fields });
    const expectSent = (program: Program, sent: Packet, expected: Packet, mark = 0): Outcome => {
      const outcome = bare.send(program, ipOctets(sent), mark);
      expect(outcome.verdict).toBe('next');
      expect(Buffer.from(outcome.packet)).toEqual(Buffer.from(ipOctets(expected)));
      return outcome;
    };
    const program = () => bare.datapath.program(servicePort(addresses, transport));

    test('requests are translated on the way in, replies on the way out', () => {
      program();
      const asks = packet(client, CLIENT_PORT, clusterIP, PORT);
      expectSent('host_bound_ingress', asks, changed(asks, { destination: endpoint, destinationPort: TARGET_PORT }));
      const answers = packet(endpoint, TARGET_PORT, client, CLIENT_PORT, { flags: 'SA' });
      expectSent('host_bound_egress', answers, changed(answers, { source: clusterIP, sourcePort: PORT }));
    });

    test('requests are masqueraded, and replies come back to their client', () => {
      program();
      const asks = packet(client, CLIENT_PORT, externalIP, PORT);
      const inside = changed(asks, { destination: endpoint, destinationPort: TARGET_PORT });
      const arrived = expectSent('host_bound_ingress', asks, inside);
      expect(arrived.mark).toBe(0x4000);
      const left = bare.send('host_bound_egress', arrived.packet, arrived.mark);
      const { sourcePort } = portsOf(readIp(left.packet) as Packet);
      expect(Buffer.from(left.packet)).toEqual(Buffer.from(ipOctets(changed(inside, { source: node, sourcePort }))));
      const answers = packet(endpoint, TARGET_PORT, node, sourcePort, { flags: 'SA' });
      expectSent('host_bound_ingress', answers, changed(answers, { destination: client, destinationPort: CLIENT_PORT }));
    });

    test('errors are translated both ways', () => {
      program();
      const asks = packet(client, CLIENT_PORT, clusterIP, PORT);
      bare.send('host_bound_ingress', ipOctets(asks));
      const header = addresses.family === 'IPv4' ? 20 : 40;
      const error = (about: Packet, source: string, destination: string): Packet => {
        const code = addresses.family === 'IPv4' ? { type: 3, code: 4 } : { type: 2, code: 0 };
        const quoted = { ...about, l4: { ...about.l4, checksum: 0x1234 } } as Packet;
        return icmp({ source, destination, ...code, rest: 1400, payload: ipOctets(quoted).slice(0, header + 8) });
      };
      const toEndpoint = packet(client, CLIENT_PORT, endpoint, TARGET_PORT);
      expectSent('host_bound_egress', error(toEndpoint, router, client), error(asks, router, client));
      const toClient = packet(clusterIP, PORT, client, CLIENT_PORT);
      const sent = packet(endpoint, TARGET_PORT, client, CLIENT_PORT);
      expectSent('host_bound_ingress', error(toClient, client, clusterIP), error(sent, client, endpoint));
    });
  },
);
